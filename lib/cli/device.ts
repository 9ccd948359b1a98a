import { deviceCount, deviceInfo, unavailableReason } from '../cuda.js';
import { namedPlugin } from '../native/addon.js';
import { driverVersion } from '../native/cuda_plugin.js';
import type { Device } from '../tensor/device.js';
import type { OutputStream } from './streams.js';
import { UsageError } from './usage_error.js';

/**
 * The device that a request comes down to. `auto` takes the first GPU where it can; where there is a driver or a plugin that is
 * named, and it cannot, it says why.
 *
 * @throws {UsageError} where CUDA is demanded and cannot be used, or has no such GPU: it is never replaced in silence.
 */
export function chooseDevice(request: Device | 'auto', err: OutputStream): Device {
    if (request === 'cpu') return 'cpu';
    const why = unavailableReason();
    if (request === 'auto') {
        if (why === undefined) return 'cuda';
        const driver = driverVersion();
        const gpu = driver === undefined ? 'a GPU' : `the GPU (driver ${driver})`;
        if (driver !== undefined || namedPlugin !== '')
            err.write(`nativegrad: computing on the CPU; ${gpu} cannot be used: ${why}\n`);
        return 'cpu';
    }
    if (why !== undefined) throw new UsageError(`--device ${request} cannot be used: ${why}`);
    const count = deviceCount();
    if (Number(request.split(':')[1] ?? 0) < count) return request;
    const there = count === 1 ? '1 GPU, cuda:0' : `${count} GPUs, cuda:0 to cuda:${count - 1}`;
    throw new UsageError(`--device ${request} is not there: this process sees ${there}`);
}

/** `on the CPU`, or which GPU it is. */
export function placeText(device: Device): string {
    return device === 'cpu' ? 'on the CPU' : `on ${device}, ${deviceInfo(device).name}`;
}
