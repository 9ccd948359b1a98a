import { existsSync, readFileSync } from 'node:fs';

import { UsageError } from './usage_error.js';

/** Why CUDA cannot be used. This version computes on the CPU alone; say whether that wastes a GPU. */
export function cudaReason(): string {
    const missing = 'this version of nativegrad has no CUDA backend';
    const driver = '/proc/driver/nvidia/version';
    if (!existsSync(driver)) return `${missing}, and no NVIDIA driver was found`;
    const version =
        /Kernel Module\D+(\d[\d.]*)/.exec(readFileSync(driver, 'utf8'))?.[1] ?? 'of unknown version';
    return `${missing}; NVIDIA driver ${version} was found`;
}

/**
 * The device that a request comes down to.
 *
 * @throws {UsageError} where CUDA is demanded and cannot be used: it is never replaced in silence.
 */
export function chooseDevice(request: 'cpu' | 'cuda' | 'auto'): 'cpu' {
    if (request === 'cuda') throw new UsageError(`--device cuda cannot be used: ${cudaReason()}`);
    return 'cpu';
}
