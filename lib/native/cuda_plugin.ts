import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { cacheFolder, cudaHome, namedLibrary, namedPlugin, native } from './addon.js';
import { addonPath } from './loader.js';
import { runningBuild } from './running_build.js';

/** CUDA cannot be used in this process; the message says who asked for it, and `reason` what is missing. */
export class CudaError extends Error {
    override name = 'CudaError';

    constructor(
        op: string,
        /** What is missing, and what helps. */
        readonly reason: string,
        options?: ErrorOptions,
    ) {
        super(`[${op}] CUDA cannot be used: ${reason}`, options);
    }
}

const library = 'libnativegrad_cuda.so';

/** The files that may be the plugin: the one that is named, else one beside the addon, or built in this checkout. */
function candidates(): string[] {
    if (namedPlugin !== '') return [resolve(namedPlugin)];
    const folder = dirname(addonPath());
    return [join(folder, library), join(folder, '..', '..', 'build-cuda', library)];
}

const driverFile = '/proc/driver/nvidia/version';
const driverOfWsl = '/usr/lib/wsl/lib/libcuda.so.1';

/** The NVIDIA driver of this machine, or undefined where none is found. */
export function driverVersion(): string | undefined {
    if (!existsSync(driverFile)) return existsSync(driverOfWsl) ? 'of Windows' : undefined;
    return /Kernel Module\D+(\d[\d.]*)/.exec(readFileSync(driverFile, 'utf8'))?.[1] ?? 'of unknown version';
}

function pluginPath(op: string): string {
    const paths = candidates();
    const found = paths.find((path) => existsSync(path));
    if (found !== undefined) return found;
    const driver =
        driverVersion() === undefined
            ? 'no NVIDIA driver is found on this machine: install it first; and '
            : '';
    throw new CudaError(
        op,
        `${driver}the CUDA plugin is not there: no ${paths.join(' and no ')}${remedy(paths)}`,
    );
}

/** What helps where there is no plugin. */
function remedy(paths: readonly string[]): string {
    if (namedPlugin !== '') return ', which NATIVEGRAD_CUDA names: correct it, or unset it';
    const checkout = resolve(dirname(paths.at(-1) ?? ''), '..');
    const builder = runningBuild(join(checkout, 'build-cuda', 'lock'));
    if (builder !== undefined) return `. A build of it is running (process ${builder}): wait for its end`;
    return existsSync(join(checkout, 'cuda'))
        ? '. Build it: npm run build:cuda'
        : '. Build it in a clone of nativegrad (npm run build:cuda), and let NATIVEGRAD_CUDA name the file';
}

/** Whether products are made the same way in every run, as told before the plugin was there. */
const products = { deterministic: false };

/** Before the plugin is there, this is only noted. */
export function configureProducts(deterministic: boolean): void {
    products.deterministic = deterministic;
    native.configureProducts(join(cacheFolder, 'nativegrad', 'products.txt'), deterministic);
}

/**
 * Loads the plugin, once per process; returns how many GPUs it sees, at least one. `op` begins the message.
 *
 * @throws CudaError naming what is missing: the plugin, the driver, a GPU.
 */
export function cudaDevices(op: string): number {
    const known = native.deviceCount() - 1;
    if (known > 0) return known;
    const path = pluginPath(op);
    try {
        native.loadPlugin(path);
        native.nameLibrary(
            namedLibrary === '' ? '' : resolve(namedLibrary),
            cudaHome === '' ? '' : join(cudaHome, 'lib64'),
        );
        configureProducts(products.deterministic);
    } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        throw new CudaError(op, text.replace(/^\[cuda\] /, ''), { cause: error });
    }
    const found = native.deviceCount() - 1;
    if (found === 0) throw new CudaError(op, 'the driver sees no GPU');
    return found;
}
