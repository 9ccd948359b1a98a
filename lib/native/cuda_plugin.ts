import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { namedPlugin, native } from './addon.js';
import { addonPath } from './loader.js';

/** CUDA cannot be used in this process; the message says what is missing. */
export class CudaError extends Error {
    override name = 'CudaError';
}

const library = 'libnativegrad_cuda.so';
const addonPackage = '@nativegrad/cuda-linux-x64';

/** The files that may be the plugin, best first: the one that is named, one beside the addon, the optional package. */
function candidates(): string[] {
    if (namedPlugin !== '') return [resolve(namedPlugin)];
    const places = [join(dirname(addonPath()), library)];
    try {
        places.push(createRequire(import.meta.url).resolve(`${addonPackage}/${library}`));
    } catch {
        // The package is optional.
    }
    return places;
}

function pluginPath(): string {
    const places = candidates();
    const found = places.find((path) => existsSync(path));
    if (found !== undefined) return found;
    const others = namedPlugin === '' ? '' : ', which NATIVEGRAD_CUDA names';
    throw new CudaError(
        `[cuda] the CUDA plugin is not installed: no ${places.join(' and no ')}${others}. ` +
            `Install ${addonPackage} (Linux, x64), or build it in a checkout: npm run build:cuda`,
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
