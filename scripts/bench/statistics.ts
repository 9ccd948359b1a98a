import type { Benchmark } from './benchmark.js';
import type { Clocks } from './gpu_clocks.js';

export interface Summary {
    readonly min: number;
    readonly median: number;
    /** Median distance from the median: how far to trust it. */
    readonly mad: number;
}

/** A row of `npm run bench -- --json`. `ratio` = best peer's median over ours: above 1, ours is faster (or smaller). */
export interface Row {
    readonly name: string;
    readonly unit: string;
    readonly ours: Summary;
    readonly peers: Readonly<Record<string, Summary>>;
    /** Other ways of ours to the same end. */
    readonly variants: Readonly<Record<string, Summary>>;
    /** The median of each peer and variant over ours. */
    readonly ratios: Readonly<Record<string, number>>;
    readonly ratio: number | null;
    /** Median over the rounds of our rate in GFLOP/s over the peak that was measured in the same round. */
    readonly peak_fraction: number | null;
    /** Of the GPU, where it has told them. */
    readonly clocks?: Clocks;
}

export function median(values: readonly number[]): number {
    if (values.length === 0) throw new Error('[median] of no values');
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function summarize(values: readonly number[], scale = 1): Summary {
    const middle = median(values);
    const mad = median(values.map((value) => Math.abs(value - middle)));
    return { min: Math.min(...values) * scale, median: middle * scale, mad: mad * scale };
}

/** seconds: per unit of work, one a round; peaks: GFLOP/s of the same rounds. */
export function peakFraction(
    flops: number | null,
    seconds: readonly number[],
    peaks: readonly number[],
): number | null {
    if (flops === null || peaks.length === 0) return null;
    return median(peaks.map((peak, round) => flops / (seconds[round] ?? Number.NaN) / 1e9 / peak));
}

/** amounts: subject key -> seconds (or bytes) per unit of work, one a round. peaks: GFLOP/s, one a round. */
export function makeRow(
    benchmark: Benchmark,
    amounts: ReadonlyMap<string, readonly number[]>,
    peaks: readonly number[],
): Row {
    const own = amounts.get('nativegrad');
    if (!own) throw new Error(`[bench] ${benchmark.name} has no run of our own`);
    const peers: Record<string, Summary> = {};
    const variants: Record<string, Summary> = {};
    const ratios: Record<string, number> = {};
    const ours = summarize(own, benchmark.scale);
    for (const [key, values] of amounts) {
        if (key === 'nativegrad') continue;
        const summary = summarize(values, benchmark.scale);
        (key in (benchmark.variants ?? {}) ? variants : peers)[key] = summary;
        ratios[key] = summary.median / ours.median;
    }
    const medians = Object.values(peers).map((peer) => peer.median);
    return {
        name: benchmark.name,
        unit: benchmark.unit,
        ours,
        peers,
        variants,
        ratios,
        ratio: medians.length > 0 ? Math.min(...medians) / ours.median : null,
        peak_fraction: peakFraction(benchmark.flops, own, peaks),
    };
}
