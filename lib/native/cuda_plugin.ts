import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { namedPlugin, native } from './addon.js';
import { addonPath } from './loader.js';

/** CUDA cannot be used in this process; the message says what is missing. */
export class CudaError extends Error {
    override name = 'CudaError';
}

const library = 'libnativegrad_cuda.so';

/** The files that may be the plugin: the one that is named, else one beside the addon, or built in this checkout. */
function candidates(): string[] {
    if (namedPlugin !== '') return [resolve(namedPlugin)];
    const folder = dirname(addonPath());
    return [join(folder, library), join(folder, '..', '..', 'build-cuda', library)];
}

function pluginPath(): string {
    const paths = candidates();
    const found = paths.find((path) => existsSync(path));
    if (found !== undefined) return found;
    const origin = namedPlugin === '' ? '' : ', which NATIVEGRAD_CUDA names';
    throw new CudaError(
        `[cuda] the CUDA plugin is not there: no ${paths.join(' and no ')}${origin}. ` +
            'Build it in a checkout of nativegrad (npm run build:cuda), and let NATIVEGRAD_CUDA name it',
    );
}

/**
 * Loads the plugin, once per process; returns how many GPUs it sees.
 *
 * @throws CudaError naming what is missing: the plugin, the driver, a GPU.
 */
export function cudaDevices(): number {
    const known = native.deviceCount() - 1;
    if (known > 0) return known;
    const path = pluginPath();
    try {
        native.loadPlugin(path);
    } catch (error) {
        throw new CudaError(error instanceof Error ? error.message : String(error), { cause: error });
    }
    return native.deviceCount() - 1;
}
