import { setThreads } from '../../lib/index.js';
import { native } from '../../lib/native/addon.js';

const SECONDS = 0.05;

/** GFLOP/s of float32 multiply-adds held in registers, on as many threads as the benchmark computes with. */
export function measurePeak(threads: number): number {
    setThreads(threads);
    return native.measurePeak({ seconds: SECONDS });
}
