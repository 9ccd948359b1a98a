import { native } from '../../lib/native/addon.js';

const SECONDS = 0.05;

/** GFLOP/s of float32 multiply-adds held in registers, on as many threads as the benchmark computes with. */
export function measurePeak(threads: number): number {
    native.setThreadCount(threads);
    return native.measurePeak({ seconds: SECONDS });
}
