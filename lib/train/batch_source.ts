import { DataLoader, type Batch } from '../data/index.js';
import { defaultGenerator } from '../ops/index.js';
import { viewOf, type Tensor } from '../tensor/tensor.js';
import type { RowSource } from './train_step.js';
import type { Batches } from './trainer_options.js';

type BatchIterator = Iterator<Batch> | AsyncIterator<Batch>;

/** Makes what `first` makes, in the surroundings that it needs. */
export type Around = <T>(first: () => T) => T;

/** The batches without the first ones. `begin` runs what takes the first one: there a loader begins its epoch. */
export async function iteratorFrom(
    batches: Batches,
    skip: number,
    begin: Around = (first) => first(),
): Promise<BatchIterator> {
    if (batches instanceof DataLoader && batches.constructor === DataLoader)
        return begunBy(begin, batches.batchesFrom(skip));
    const states = defaultGenerator.state;
    const iterator = begunBy(
        begin,
        Symbol.iterator in batches ? batches[Symbol.iterator]() : batches[Symbol.asyncIterator](),
    );
    for (let i = 0; i < skip; i++) await iterator.next();
    // What they have drawn is in the state of the checkpoint already.
    if (skip > 0) defaultGenerator.state = states;
    return iterator;
}

function begunBy(begin: Around, iterator: BatchIterator): BatchIterator {
    let hasBegun = false;
    const next = (): ReturnType<BatchIterator['next']> => {
        if (hasBegun) return iterator.next();
        hasBegun = true;
        return begin(() => iterator.next());
    };
    return { next, return: () => iterator.return?.() } as BatchIterator;
}

/** A loader whose samples ops can gather. */
export interface LoaderRows extends RowSource {
    readonly loader: DataLoader;
}

/**
 * The numbers of the samples from `first` on, in at most `most` batches of `size`: [batches, size], or one short batch at the
 * end.
 */
export function rowsOf(order: Tensor, first: number, size: number, most: number): Tensor {
    const left = order.size - first;
    const full = Math.min(most, Math.floor(left / size));
    const shape = full > 0 ? [full, size] : [1, left];
    return viewOf(order, shape, [shape[1] ?? 0, 1], first);
}
