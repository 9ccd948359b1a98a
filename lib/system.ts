import { native, type MemoryStatistics } from './native/addon.js';
import { describeValue } from './support/describe_value.js';
import { requireOptionNames } from './support/option_names.js';
import { defaultDevice, deviceCode, type Device } from './tensor/device.js';

export type { MemoryStatistics } from './native/addon.js';

/** Memory behind tensors on a device: what is alive, cached, at most so far, and how often it was collected. */
export function memory(device: Device = defaultDevice()): MemoryStatistics {
    return native.memory(deviceCode('memory', device));
}

/** Most bytes that tensors of this process may hold on a device; 0 lifts the limit. An allocation above it throws. */
export function setMemoryLimit(bytes: number, device: Device = defaultDevice()): void {
    if (!Number.isSafeInteger(bytes) || bytes < 0) {
        throw new RangeError(`[setMemoryLimit] expected bytes as a non-negative integer, got ${bytes}`);
    }
    native.setMemoryLimit(bytes, deviceCode('setMemoryLimit', device));
}

/** Gives freed memory that is kept for reuse back to the system, or to the GPU; returns the bytes. */
export function emptyCache(device: Device = defaultDevice()): number {
    const code = deviceCode('emptyCache', device);
    native.sweep();
    return native.emptyCache(code);
}

/** Lets the peak of `memory()`, by which the memory kept for reuse is bounded, start again from what is alive now. */
export function resetPeak(device: Device = defaultDevice()): void {
    native.resetPeak(deviceCode('resetPeak', device));
}

/** Threads that compute, the calling one included. Results do not depend on their number. */
export function threads(): number {
    return native.threadCount();
}

export interface ThreadOptions {
    /**
     * How long, in microseconds, a thread waits for the next piece of work before it sleeps. Long waits answer fast and keep a
     * processor busy meanwhile; 0 sleeps at once. Default: 100.
     */
    readonly spinMicroseconds?: number;
    /**
     * Processors, by the system's numbers, to which the threads are bound one after the other (Linux). The first is for the
     * thread that runs captured steps in the background. Default: none, the system decides.
     */
    readonly processors?: readonly number[];
}

const maxSpinMicroseconds = 1_000_000;

/**
 * How many threads compute, the calling one included, and how they wait. Results do not depend on it. What is not given
 * goes back to its default.
 *
 * @throws RangeError for a number of threads outside 1 to 1024, a wait outside 0 to 1,000,000 microseconds, and Error for a
 * processor that this process may not run on.
 * @example
 * import { setThreads, threads } from 'nativegrad';
 * setThreads(2, { spinMicroseconds: 50 });
 * console.log(threads()); // 2
 */
export function setThreads(count: number, options: ThreadOptions = {}): void {
    if (!Number.isInteger(count) || count < 1 || count > 1024) {
        throw new RangeError(`[setThreads] expected 1 to 1024 threads, got ${describeValue(count)}`);
    }
    requireOptionNames('[setThreads]', options, ['spinMicroseconds', 'processors']);
    const { spinMicroseconds = 100, processors = [] } = options;
    if (
        !Number.isInteger(spinMicroseconds) ||
        spinMicroseconds < 0 ||
        spinMicroseconds > maxSpinMicroseconds
    ) {
        throw new RangeError(
            `[setThreads] spinMicroseconds must be an integer from 0 to ${maxSpinMicroseconds}, got ${describeValue(spinMicroseconds)}`,
        );
    }
    if (!Array.isArray(processors) || !processors.every((x) => Number.isInteger(x) && x >= 0)) {
        throw new TypeError(
            `[setThreads] processors must be a list of processor numbers, e.g. [0, 1], got ${describeValue(processors)}`,
        );
    }
    native.setThreads(count, spinMicroseconds, Int32Array.from(processors));
}
