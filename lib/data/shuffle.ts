import { Generator } from '../ops/generator.js';
import { randperm } from '../ops/random.js';
import { describeValue, isList } from '../support/describe_value.js';
import { requireDataset, Subset, type Dataset } from './dataset.js';

/** Counters of one epoch lie this far from those of the next. */
const counterStride = 2 ** 32;

/**
 * A permutation of 0 … n - 1 that depends on seed and stream alone: the same on every machine and for any number of threads.
 */
export function permutation(n: number, seed: number, stream = 0): Int32Array {
    return permutationOf(n, streamOf(seed, stream));
}

/** @internal The random numbers of a stream, such as an epoch: 2^32 of them. */
export function streamOf(seed: number, stream: number): Generator {
    const generator = new Generator(seed);
    generator.state = { seed, offset: stream * counterStride };
    return generator;
}

/** @internal The next permutation of 0 … n - 1 that a generator gives. */
export function permutationOf(n: number, generator: Generator): Int32Array {
    const order = randperm(n, { generator, dtype: 'int32' });
    const numbers = order.dataSync() as Int32Array;
    order.dispose();
    return numbers;
}

/**
 * Splits a data set at random into parts of the given sizes, or fractions of the whole (numbers below 1; the last part takes
 * the rest).
 *
 * @throws RangeError when the sizes do not add up to the length.
 */
export function randomSplit<const Sizes extends readonly number[]>(
    dataset: Dataset,
    sizes: Sizes,
    seed: number,
): { [Part in keyof Sizes]: Subset } {
    requireDataset('randomSplit', dataset);
    if (!isList(sizes) || sizes.length === 0)
        throw new TypeError(
            `[randomSplit] sizes must be a list such as [0.9, 0.1], got ${describeValue(sizes)}`,
        );
    const fractions = sizes.every((size) => size > 0 && size < 1);
    const share = sizes.reduce((a, b) => a + b, 0);
    if (fractions && Math.abs(share - 1) > 1e-9) {
        throw new RangeError(`[randomSplit] fractions of ${sizes.join(' + ')} make ${share}, not 1`);
    }
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
    const parts = counts.map((count) => new Subset(dataset, order.slice(start, (start += count))));
    return parts as { [Part in keyof Sizes]: Subset };
}
