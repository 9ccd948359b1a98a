import { Breather } from '../support/breathe.js';
import { batchOf, requireDataset, Subset, TensorDataset, type Batch, type Dataset } from './dataset.js';
import { describeValue, isPromise } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import { Tensor } from '../tensor/tensor.js';
import { permutation } from './shuffle.js';

export interface DataLoaderOptions {
    /** Default 1, as in PyTorch. */
    batchSize?: number;
    /** A new order every epoch, decided by `seed` and the epoch's number. Default false. */
    shuffle?: boolean;
    /** Leave out a last batch that is not full. Default false. */
    dropLast?: boolean;
    /** Default 0. */
    seed?: number;
    /**
     * Changes a batch before it is handed out, e.g. by augmentation; gets the epoch and the batch's number. Its results
     * must be new tensors, or those of the batch.
     */
    transform?: (batch: Batch, epoch: number, step: number) => Batch;
}

/** Throws where a transform gave no batch; it may come from JavaScript. */
function requireChanged(result: unknown): void {
    const list: readonly unknown[] = Array.isArray(result) ? result : [];
    if (list.length === 2 && list.every((x) => x instanceof Tensor)) return;
    const hint = isPromise(result)
        ? 'it must be synchronous'
        : result === undefined
          ? 'is its `return` missing?'
          : 'both must be tensors';
    throw new TypeError(
        `[DataLoader] transform must return a batch [inputs, targets], got ${describeValue(result)}; ${hint}`,
    );
}

const optionNames = ['batchSize', 'shuffle', 'dropLast', 'seed', 'transform'];

/**
 * Batches of a data set. `for await` gives the event loop a turn now and then; `for` does not. Each loop over the loader is
 * an epoch of its own.
 *
 * @throws RangeError for a batch size below 1 or a fractional one.
 * @example
 * import { data, tensor } from 'nativegrad';
 * const set = new data.TensorDataset(tensor([[1], [2], [3]]), tensor([0, 1, 0], { dtype: 'int32' }));
 * for await (const [x, y] of new data.DataLoader(set, { batchSize: 2 })) console.log(x.shape, y.shape);
 */
export class DataLoader {
    readonly batchSize: number;
    /** @internal */
    readonly shuffle: boolean;
    /** @internal */
    readonly dropLast: boolean;
    /** @internal */
    readonly seed: number;
    private readonly transform: DataLoaderOptions['transform'];
    /** Number of the next epoch; set it to repeat or resume one. */
    epoch = 0;

    constructor(
        readonly dataset: Dataset,
        options: DataLoaderOptions = {},
    ) {
        requireDataset('DataLoader', dataset);
        requireOptionNames('[DataLoader]', options, optionNames);
        const { batchSize = 1, shuffle = false, dropLast = false, seed = 0, transform } = options;
        if (!Number.isInteger(batchSize) || batchSize < 1) {
            throw new RangeError(`[DataLoader] batchSize must be a positive integer, got ${batchSize}`);
        }
        if (!Number.isSafeInteger(seed) || seed < 0) {
            throw new RangeError(`[DataLoader] seed must be a non-negative integer, got ${seed}`);
        }
        if (transform !== undefined && typeof transform !== 'function')
            throw new TypeError(
                `[DataLoader] transform must be a function (batch, epoch, step) => batch, got ${describeValue(transform)}`,
            );
        this.batchSize = batchSize;
        this.shuffle = shuffle;
        this.dropLast = dropLast;
        this.seed = seed;
        this.transform = transform;
    }

    /** Batches of one epoch. */
    get length(): number {
        const batches = this.dataset.length / this.batchSize;
        return this.dropLast ? Math.floor(batches) : Math.ceil(batches);
    }

    /** True when nobody else holds the tensors of a batch, so that the trainer may free them after the step. */
    get makesNewTensors(): boolean {
        let source = this.dataset;
        while (source instanceof Subset) source = source.dataset;
        return source instanceof TensorDataset || !source.batch;
    }

    /** How a captured step makes a batch from the numbers of its samples; undefined where JavaScript has to. */
    get gather(): Dataset['gather'] {
        return this.transform ? undefined : this.dataset.gather;
    }

    /** The numbers of all samples in the order of the next epoch, which this begins. */
    nextOrder(): Int32Array {
        const epoch = this.epoch++;
        const count = this.dataset.length;
        return this.shuffle
            ? permutation(count, this.seed, epoch)
            : Int32Array.from({ length: count }, (_, i) => i);
    }

    [Symbol.iterator](): Generator<Batch, void, undefined> {
        return this.batchesFrom(0);
    }

    /** @internal The batches of the next epoch, without the first ones. */
    *batchesFrom(first: number): Generator<Batch, void, undefined> {
        const epoch = this.epoch;
        const order = this.nextOrder();
        for (let step = first; step < this.length; step++) {
            const start = step * this.batchSize;
            const batch = batchOf(this.dataset, order.slice(start, start + this.batchSize));
            yield this.transform ? this.changed(batch, this.transform(batch, epoch, step)) : batch;
        }
    }

    /** The transform's result; what it replaced is freed where nobody else holds it. */
    private changed(batch: Batch, result: Batch): Batch {
        requireChanged(result);
        if (this.makesNewTensors) for (const x of batch) if (!result.includes(x)) x.dispose();
        return result;
    }

    async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
        const breather = new Breather();
        for (const batch of this) {
            await breather.breatheIfDue();
            yield batch;
        }
    }
}
