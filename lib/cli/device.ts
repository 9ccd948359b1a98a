import { existsSync, readFileSync } from 'node:fs';

import { unavailableReason } from '../cuda.js';
import type { OutputStream } from './streams.js';
import { UsageError } from './usage_error.js';

const driverFile = '/proc/driver/nvidia/version';

/** The NVIDIA driver of this machine, or undefined where there is none. */
export function driverVersion(): string | undefined {
    if (!existsSync(driverFile)) return undefined;
    return /Kernel Module\D+(\d[\d.]*)/.exec(readFileSync(driverFile, 'utf8'))?.[1] ?? 'of unknown version';
}

/**
 * The device that a request comes down to. `auto` takes the GPU where it can; where there is a driver and it cannot, it says why.
 *
 * @throws {UsageError} where CUDA is demanded and cannot be used: it is never replaced in silence.
 */
export function chooseDevice(request: 'cpu' | 'cuda' | 'auto', err: OutputStream): 'cpu' | 'cuda' {
    if (request === 'cpu') return 'cpu';
    const reason = unavailableReason();
    if (reason === undefined) return 'cuda';
    const why = reason.replace(/^\[cuda\] /, '');
    if (request === 'cuda') throw new UsageError(`--device cuda cannot be used: ${why}`);
    const driver = driverVersion();
    if (driver !== undefined)
        err.write(`nativegrad: computing on the CPU; the GPU (driver ${driver}) cannot be used: ${why}\n`);
    return 'cpu';
}
