import type { Benchmark } from './benchmark.js';

export interface Summary {
    readonly min: number;
    readonly median: number;
}

/** A row of `npm run bench -- --json`. `ratio` = best peer's median over ours: above 1, ours is faster. */
export interface Row {
    readonly name: string;
    readonly unit: string;
    readonly ours: Summary;
    readonly peers: Readonly<Record<string, Summary>>;
    readonly ratio: number | null;
    readonly peak_fraction: number | null;
}

export function median(values: readonly number[]): number {
    if (values.length === 0) throw new Error('[median] of no values');
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function summarize(values: readonly number[], scale = 1): Summary {
    return { min: Math.min(...values) * scale, median: median(values) * scale };
}

/** seconds: subject key -> seconds per unit of work, one a round. peaks: GFLOP/s, one a round. */
export function makeRow(
    benchmark: Benchmark,
    seconds: ReadonlyMap<string, readonly number[]>,
    peaks: readonly number[],
): Row {
    const own = seconds.get('nativegrad');
    if (!own) throw new Error(`[bench] ${benchmark.name} has no run of our own`);
    const peers: Record<string, Summary> = {};
    for (const [key, values] of seconds) {
        if (key !== 'nativegrad') peers[key] = summarize(values, benchmark.scale);
    }
    const ours = summarize(own, benchmark.scale);
    const medians = Object.values(peers).map((peer) => peer.median);
    const achieved = benchmark.flops === null ? null : benchmark.flops / median(own) / 1e9;
    return {
        name: benchmark.name,
        unit: benchmark.unit,
        ours,
        peers,
        ratio: medians.length > 0 ? Math.min(...medians) / ours.median : null,
        peak_fraction: achieved === null || peaks.length === 0 ? null : achieved / median(peaks),
    };
}
