import { runNew } from '../ops/kernels.js';
import type { Dataset } from './dataset.js';
import { Subset } from './dataset.js';

const uniform = 0;

/** Counters of one epoch lie this far from those of the next. */
const counterStride = 2 ** 32;

/**
 * A permutation of 0 … n - 1 that depends on seed and stream alone (Fisher and Yates, with Philox numbers): the same on
 * every machine and for any number of threads.
 */
export function permutation(n: number, seed: number, stream = 0): Int32Array {
    const order = Int32Array.from({ length: n }, (_, i) => i);
    if (n < 2) return order;
    const draws = runNew('random', [], [n], 'float64', [uniform, 0, 1, seed, stream * counterStride]);
    const numbers = draws.dataSync() as Float64Array;
    draws.dispose();
    for (let i = n - 1; i > 0; i--) {
        const j = Math.floor((numbers[i] ?? 0) * (i + 1));
        const moved = order[i] ?? 0;
        order[i] = order[j] ?? 0;
        order[j] = moved;
    }
    return order;
}

/**
 * Splits a data set at random into parts of the given sizes, or fractions of the whole (numbers below 1; the last part takes
 * the rest).
 *
 * @throws RangeError when the sizes do not add up to the length.
 */
export function randomSplit(dataset: Dataset, sizes: readonly number[], seed: number): Subset[] {
    const fractions = sizes.every((size) => size > 0 && size < 1);
    const counts = fractions ? sizes.map((size) => Math.floor(size * dataset.length)) : [...sizes];
    if (fractions) {
        const before = counts.slice(0, -1).reduce((a, b) => a + b, 0);
        counts[counts.length - 1] = dataset.length - before;
    }
    const total = counts.reduce((a, b) => a + b, 0);
    if (total !== dataset.length || counts.some((count) => !Number.isInteger(count) || count < 0)) {
        throw new RangeError(
            `[randomSplit] parts of ${sizes.join(' + ')} do not make up ${dataset.length} samples`,
        );
    }
    const order = permutation(dataset.length, seed);
    let start = 0;
    return counts.map((count) => new Subset(dataset, order.slice(start, (start += count))));
}
