import { native, type MemoryStatistics } from './native/addon.js';

export type { MemoryStatistics } from './native/addon.js';

/** Memory behind tensors: what is alive, cached, at most so far, and how often it was collected. */
export function memory(): MemoryStatistics {
    return native.memory();
}

/** Most bytes that tensors of this process may hold; 0 lifts the limit. An allocation above it throws. */
export function setMemoryLimit(bytes: number): void {
    if (!Number.isSafeInteger(bytes) || bytes < 0) {
        throw new RangeError(`[setMemoryLimit] expected bytes as a non-negative integer, got ${bytes}`);
    }
    native.setMemoryLimit(bytes);
}

/** Gives freed memory that is kept for reuse back to the system; returns the bytes. */
export function emptyCache(): number {
    native.sweep();
    return native.emptyCache();
}

/** Lets the peak of `memory()`, by which the memory kept for reuse is bounded, start again from what is alive now. */
export function resetPeak(): void {
    native.resetPeak();
}

/** Threads that compute, the calling one included. Results do not depend on their number. */
export function threads(): number {
    return native.threadCount();
}

export function setThreads(count: number): void {
    if (!Number.isInteger(count) || count < 1 || count > 1024) {
        throw new RangeError(`[setThreads] expected 1 to 1024 threads, got ${count}`);
    }
    native.setThreadCount(count);
}
