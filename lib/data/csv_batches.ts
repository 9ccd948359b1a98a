import { fromTypedArray } from '../ops/create.js';
import { describeValue } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Batch } from './dataset.js';
import { permutationOf, streamOf } from './shuffle.js';

export interface CsvBatchOptions {
    /** Default: 32. */
    readonly batchSize?: number;
    /** Mix the order of so many rows at a time, another one each epoch. Default: 0, the file's order. */
    readonly shuffleRows?: number;
    /** Of the mixing. Default: 0. */
    readonly seed?: number;
    /** Which rows to take, by their number from 0. Default: all. */
    readonly keep?: (row: number) => boolean;
}

/** A row as numbers; `y` is the class or the value of its target. */
export interface EncodedRow {
    readonly x: Float32Array;
    readonly y: number;
}

/** What batches are made of. */
export interface RowSource {
    readonly samples: number;
    readonly features: number;
    readonly classes: readonly string[] | null;
    rows(keep: (row: number) => boolean): AsyncIterable<EncodedRow>;
}

/** Batches of a CSV file; each loop is an epoch of its own. */
export class CsvBatches implements AsyncIterable<Batch> {
    /** Batches of one epoch. */
    readonly length: number;
    readonly batchSize: number;
    /** Rows of one epoch. */
    readonly samples: number;
    /** @internal */
    readonly shuffleRows: number;
    /** @internal */
    readonly seed: number;
    private readonly keep: (row: number) => boolean;
    /** Number of the next epoch; set it to repeat or resume one. */
    epoch = 0;

    constructor(
        private readonly source: RowSource,
        options: CsvBatchOptions,
    ) {
        requireOptionNames('[CsvFile]', options, ['batchSize', 'shuffleRows', 'seed', 'keep']);
        const { batchSize = 32, shuffleRows = 0, seed = 0, keep = () => true } = options;
        requireInteger('batchSize', batchSize, 1);
        requireInteger('shuffleRows', shuffleRows, 0);
        requireInteger('seed', seed, 0);
        requireRowTest('keep', keep);
        [this.batchSize, this.shuffleRows, this.seed, this.keep] = [batchSize, shuffleRows, seed, keep];
        let rows = 0;
        for (let row = 0; row < source.samples; row++) if (keep(row)) rows++;
        this.samples = rows;
        this.length = Math.ceil(rows / batchSize);
    }

    async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
        const random = streamOf(this.seed, this.epoch++);
        let window: EncodedRow[] = [];
        let waiting: EncodedRow[] = [];
        const mix = (): void => {
            for (const i of permutationOf(window.length, random)) waiting.push(window[i]);
            window = [];
        };
        for await (const row of this.source.rows(this.keep)) {
            if (this.shuffleRows > 1) {
                window.push(row);
                if (window.length === this.shuffleRows) mix();
            } else waiting.push(row);
            while (waiting.length >= this.batchSize) yield this.batchOf(waiting.splice(0, this.batchSize));
        }
        if (window.length > 0) mix();
        for (; waiting.length > 0; waiting = waiting.slice(this.batchSize))
            yield this.batchOf(waiting.slice(0, this.batchSize));
    }

    private batchOf(rows: readonly EncodedRow[]): Batch {
        const { features, classes } = this.source;
        const targets = rows.map(({ y }) => y);
        return [
            inputsOf(rows, features),
            classes
                ? fromTypedArray(Int32Array.from(targets), [rows.length])
                : fromTypedArray(Float32Array.from(targets), [rows.length, 1]),
        ];
    }
}

/** [n, features] */
export function inputsOf(rows: readonly Pick<EncodedRow, 'x'>[], features: number): Tensor {
    const values = new Float32Array(rows.length * features);
    rows.forEach(({ x }, i) => values.set(x, i * features));
    return fromTypedArray(values, [rows.length, features]);
}

export function requireInteger(name: string, value: unknown, least: number): void {
    if (Number.isSafeInteger(value) && Number(value) >= least) return;
    throw new RangeError(
        `[CsvFile] ${name} must be an integer of at least ${least}, got ${describeValue(value)}`,
    );
}

/** Throws where `test` cannot say which rows to take. */
export function requireRowTest(name: string, test: unknown): void {
    if (typeof test === 'function') return;
    throw new TypeError(
        `[CsvFile] ${name} must be a function row => true or false, got ${describeValue(test)}`,
    );
}
