import { native, type DeviceInfo, type DeviceMemory, type LibraryFile } from './native/addon.js';
import { configureProducts, cudaDevices, CudaError } from './native/cuda_plugin.js';
import { describeValue } from './support/describe_value.js';
import { deviceCode, type Device } from './tensor/device.js';

export { CudaError };
export type { LibraryFile, DeviceInfo, DeviceMemory } from './native/addon.js';

/** Why CUDA cannot be used in this process (what is missing, and what helps), or undefined where it can. */
export function unavailableReason(): string | undefined {
    try {
        cudaDevices('cuda');
        return undefined;
    } catch (error) {
        if (error instanceof CudaError) return error.reason;
        throw error;
    }
}

/**
 * Whether tensors can live on a GPU; never throws.
 *
 * @example
 * import { cuda, ones } from 'nativegrad';
 * const x = ones([2, 3], { device: cuda.isAvailable() ? 'cuda' : 'cpu' });
 */
export function isAvailable(): boolean {
    return unavailableReason() === undefined;
}

/** GPUs that this process sees (`CUDA_VISIBLE_DEVICES` counts); 0 where CUDA cannot be used. */
export function deviceCount(): number {
    return isAvailable() ? cudaDevices('cuda.deviceCount') : 0;
}

/** `'cuda:1'` for 1; what is no number of a GPU stays as it is, to be refused by name. */
function gpuName(device: Device | number): unknown {
    return typeof device === 'number' && Number.isInteger(device) && device >= 0 ? `cuda:${device}` : device;
}

/** As `deviceCode`, of GPUs alone; a number is that of a GPU. */
function gpuCode(op: string, device: Device | number): number {
    const code = deviceCode(op, gpuName(device));
    if (code > 0) return code;
    throw new RangeError(`[${op}] expected a GPU, 'cuda' or 'cuda:1', got '${device}'`);
}

/**
 * Name, memory, compute capability and versions of a GPU: of `'cuda:1'`, or of 1, as in torch.cuda.
 *
 * @throws CudaError where CUDA cannot be used; RangeError where there is no such GPU, and for the CPU.
 */
export function deviceInfo(device: Device | number = 'cuda'): DeviceInfo {
    return native.deviceInfo(gpuCode('cuda.deviceInfo', device));
}

/**
 * How much memory a GPU has, and how much of it no process holds, as torch.cuda.mem_get_info. What tensors of this process hold
 * of it is told by `memory('cuda')`.
 *
 * @throws CudaError where CUDA cannot be used; RangeError where there is no such GPU, and for the CPU.
 */
export function memoryInfo(device: Device | number = 'cuda'): DeviceMemory {
    return native.deviceMemory(gpuCode('cuda.memoryInfo', device));
}

/**
 * Opens cuBLASLt, which large products use: the file or folder that `NATIVEGRAD_CUBLASLT` names, else beside the plugin, in the
 * toolkit that `npm run build:cuda` has set up, in `CUDA_HOME`, or where the system finds it.
 *
 * @returns Its path and version; or the reason why it cannot be opened, when products are our own kernels'. Products keep to what they
 * found at the first large one: a library that is installed later serves from the next process on.
 * @throws CudaError where CUDA cannot be used.
 */
export function productLibrary(): LibraryFile | { readonly reason: string } {
    const device = deviceCode('cuda.productLibrary', 'cuda');
    try {
        return native.library(device);
    } catch (error) {
        // Only what was looked for and not found: another failure is no reason to do without.
        const isMissing =
            error instanceof Error && 'code' in error && error.code === 'ERR_NATIVEGRAD_INVALID_ARGUMENT';
        if (!isMissing) throw error;
        return { reason: error.message };
    }
}

/**
 * Which way of making a product is the fastest (an algorithm of cuBLASLt, or an own kernel) is measured at its first call and kept in
 * `nativegrad/products.txt` of the user's cache folder, so a shape's sums may be added in another order on another machine, or after
 * that file is deleted. With `true` nothing is measured, and what was is not used: all runs give the same bits. As
 * torch.use_deterministic_algorithms; no kernel's bits depend on the run otherwise, but where the GPU has no room left for
 * cuBLASLt's work buffer: own kernels make the product then, and with `true` that is an error.
 *
 * @throws TypeError for what is no boolean.
 * @example
 * import { cuda } from 'nativegrad';
 * cuda.setDeterministic(true);
 */
export function setDeterministic(deterministic: boolean): void {
    const given: unknown = deterministic;
    if (typeof given !== 'boolean')
        throw new TypeError(`[cuda.setDeterministic] expected true or false, got ${describeValue(given)}`);
    configureProducts(deterministic);
}

/**
 * Waits until a GPU has done all that this thread gave it. Errors of that work come up here, or where values are read.
 *
 * @throws Error that names the op whose work failed.
 */
export function synchronize(device: Device | number = 'cuda'): void {
    native.synchronize(deviceCode('cuda.synchronize', gpuName(device)));
}
