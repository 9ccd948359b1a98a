import { unavailableReason } from '../cuda.js';
import { driverVersion } from '../native/cuda_plugin.js';
import type { OutputStream } from './streams.js';
import { UsageError } from './usage_error.js';

/**
 * The device that a request comes down to. `auto` takes the GPU where it can; where there is a driver and it cannot, it says why.
 *
 * @throws {UsageError} where CUDA is demanded and cannot be used: it is never replaced in silence.
 */
export function chooseDevice(request: 'cpu' | 'cuda' | 'auto', err: OutputStream): 'cpu' | 'cuda' {
    if (request === 'cpu') return 'cpu';
    const why = unavailableReason();
    if (why === undefined) return 'cuda';
    if (request === 'cuda') throw new UsageError(`--device cuda cannot be used: ${why}`);
    const driver = driverVersion();
    if (driver !== undefined)
        err.write(`nativegrad: computing on the CPU; the GPU (driver ${driver}) cannot be used: ${why}\n`);
    return 'cpu';
}
