import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { fromTypedArray } from '../ops/create.js';
import { describeValue, isList } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import { ColumnScan, numberOf, type CsvColumn } from './csv_columns.js';
import { DataFileError } from './data_file_error.js';
import { TensorDataset, type Batch } from './dataset.js';
import { permutation } from './shuffle.js';

export interface CsvOptions {
    /** The column to predict. */
    readonly target: string;
    /** The columns to predict from. Default: all others. */
    readonly inputs?: readonly string[];
    /** 'classification' makes classes of the target's texts, 'regression' needs numbers. Default: by what it holds. */
    readonly task?: 'classification' | 'regression';
    /** Bring columns of numbers, inputs alone, to mean 0 and deviation 1. Default: true. */
    readonly standardize?: boolean;
    /** Default: ','. */
    readonly delimiter?: string;
}

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

interface Row {
    readonly line: number;
    readonly fields: readonly string[];
}

/** The rows of a file, the header's first, read as they are asked for. */
async function* rowsOf(path: string, delimiter: string): AsyncGenerator<Row, void, undefined> {
    const { parse } = await import('csv-parse');
    const parser = parse({ bom: true, delimiter, info: true, skip_empty_lines: true, trim: true });
    const source = createReadStream(path);
    // Errors of either arrive at the loop below; leaving it early closes both.
    const rows = pipeline(source, parser, () => undefined);
    try {
        for await (const { record, info } of rows as AsyncIterable<{
            record: string[];
            info: { lines: number };
        }>)
            yield { line: info.lines, fields: record };
    } catch (cause) {
        const { code, message } = cause as Error & { code?: string };
        if (code === 'ENOENT') throw new DataFileError(path, 'there is no such file', { cause });
        throw new DataFileError(path, `is no CSV file that can be read: ${message}`, { cause });
    } finally {
        source.destroy();
    }
}

/**
 * A table in a CSV file with a header, read as a stream: one walk through the file finds what its columns hold (numbers, or
 * categories, which become one input per text), later ones make batches, so that the file may be larger than memory.
 *
 * @example
 * import { writeFileSync } from 'node:fs';
 * import { data } from 'nativegrad';
 * writeFileSync('fruit.csv', 'weight,colour,name\n150,red,apple\n120,green,pear\n160,green,apple\n');
 * const table = await data.CsvFile.open('fruit.csv', { target: 'name' });
 * console.log(table.samples, table.features, table.classes); // 3 3 ['apple', 'pear']
 * for await (const [x, y] of table.batches({ batchSize: 2 })) console.log(x.shape, y.toArray());
 */
export class CsvFile {
    private constructor(
        readonly path: string,
        /** Rows without the header. */
        readonly samples: number,
        /** Columns to predict from. */
        readonly inputs: readonly CsvColumn[],
        readonly target: CsvColumn,
        private readonly header: readonly string[],
        private readonly options: Required<Pick<CsvOptions, 'standardize' | 'delimiter'>>,
    ) {}

    /**
     * Walks through the file once.
     *
     * @throws DataFileError where it is missing, is no CSV file, has no rows, or holds what cannot be learned from, with the line;
     * RangeError for columns that it does not have.
     */
    static async open(path: string, options: CsvOptions): Promise<CsvFile> {
        if (typeof path !== 'string' || path === '')
            throw new TypeError(`[CsvFile] takes the path of the file, got ${describeValue(path)}`);
        requireOptionNames('[CsvFile]', options, ['target', 'inputs', 'task', 'standardize', 'delimiter']);
        const { task, standardize = true, delimiter = ',' } = options;
        if (task !== undefined && task !== 'classification' && task !== 'regression')
            throw new TypeError(
                `[CsvFile] task must be 'classification' or 'regression', got ${describeValue(task)}`,
            );
        const rows = rowsOf(path, delimiter);
        const first = await rows.next();
        if (first.done) throw new DataFileError(path, 'is empty: its first line must name the columns');
        const header = first.value.fields;
        const wanted = chosenColumns(header, options);
        const scans = new Map(wanted.map((name) => [name, new ColumnScan(name)]));
        let samples = 0;
        for await (const { line, fields } of rows) {
            samples++;
            for (const [i, name] of header.entries())
                scans.get(name)?.add(fieldAt(path, fields, i, name, line), line);
        }
        if (samples === 0) throw new DataFileError(path, 'holds no row behind its header');
        const [target, ...inputs] = wanted.map((name) => {
            const asClass = name === options.target && task === 'classification';
            try {
                return (scans.get(name) ?? new ColumnScan(name)).column(asClass);
            } catch (cause) {
                throw new DataFileError(path, cause instanceof Error ? cause.message : String(cause), {
                    cause,
                });
            }
        });
        if (!target || (task === 'regression' && target.kind !== 'number'))
            throw new DataFileError(
                path,
                `column '${options.target}' holds texts, which no regression predicts; leave task out, or correct it`,
            );
        return new CsvFile(path, samples, inputs, target, header, { standardize, delimiter });
    }

    /** Values of an input row: one for each number, one for each text of a category. */
    get features(): number {
        return this.inputs.reduce((sum, column) => sum + widthOf(column), 0);
    }

    /** Names of the classes, or null for a target of numbers. */
    get classes(): readonly string[] | null {
        return this.target.kind === 'category' ? this.target.values : null;
    }

    /**
     * Batches, read anew in each loop: inputs float32 [n, features], targets int32 [n], or float32 [n, 1] where they are numbers.
     * `Trainer.fit` takes them as they are.
     */
    batches(options: CsvBatchOptions = {}): CsvBatches {
        return new CsvBatches(this, options);
    }

    /** All rows, in memory. */
    async dataset(): Promise<TensorDataset> {
        for await (const [inputs, targets] of this.batches({ batchSize: this.samples }))
            return new TensorDataset(inputs, targets);
        throw new DataFileError(this.path, 'holds no row any more');
    }

    /** @internal Rows as they are asked for, as values of inputs and the target. */
    async *rows(
        keep: (row: number) => boolean,
    ): AsyncGenerator<{ x: Float32Array; y: number }, void, undefined> {
        const { path, header, inputs, target } = this;
        const places = new Map(header.map((name, i) => [name, i]));
        let row = -1;
        for await (const { line, fields } of rowsOf(path, this.options.delimiter)) {
            if (row++ === -1 || !keep(row - 1)) continue;
            const text = ({ name }: CsvColumn): string =>
                fieldAt(path, fields, places.get(name) ?? -1, name, line);
            const x = new Float32Array(this.features);
            let place = 0;
            for (const column of inputs) {
                const value = this.value(column, text(column), line);
                if (column.kind === 'category') x[place + value] = 1;
                else x[place] = this.options.standardize ? (value - column.mean) / (column.std || 1) : value;
                place += widthOf(column);
            }
            yield { x, y: this.value(target, text(target), line) };
        }
    }

    private value(column: CsvColumn, text: string, line: number): number {
        const value =
            column.kind === 'category' ? column.values.indexOf(text) : (numberOf(text) ?? -Infinity);
        if (value >= 0 || (column.kind === 'number' && value > -Infinity)) return value;
        throw new DataFileError(
            this.path,
            `line ${line}, column '${column.name}': '${text.slice(0, 40)}' was not there when the file was opened; open it anew`,
        );
    }
}

/** Batches of a CSV file; each loop is an epoch of its own. */
export class CsvBatches implements AsyncIterable<Batch> {
    /** Batches of one epoch. */
    readonly length: number;
    readonly batchSize: number;
    /** Rows of one epoch. */
    readonly samples: number;
    private readonly shuffleRows: number;
    private readonly seed: number;
    private readonly keep: (row: number) => boolean;
    /** Number of the next epoch; set it to repeat or resume one. */
    epoch = 0;

    constructor(
        private readonly file: CsvFile,
        options: CsvBatchOptions,
    ) {
        requireOptionNames('[CsvFile]', options, ['batchSize', 'shuffleRows', 'seed', 'keep']);
        const { batchSize = 32, shuffleRows = 0, seed = 0, keep = () => true } = options;
        for (const [name, value, least] of [
            ['batchSize', batchSize, 1],
            ['shuffleRows', shuffleRows, 0],
            ['seed', seed, 0],
        ] as const)
            if (!Number.isSafeInteger(value) || value < least)
                throw new RangeError(
                    `[CsvFile] ${name} must be an integer of at least ${least}, got ${describeValue(value)}`,
                );
        if (typeof keep !== 'function')
            throw new TypeError(
                `[CsvFile] keep must be a function row => true or false, got ${describeValue(keep)}`,
            );
        [this.batchSize, this.shuffleRows, this.seed, this.keep] = [batchSize, shuffleRows, seed, keep];
        let rows = 0;
        for (let row = 0; row < file.samples; row++) if (keep(row)) rows++;
        this.samples = rows;
        this.length = Math.ceil(rows / batchSize);
    }

    async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
        const epoch = this.epoch++;
        let window: { x: Float32Array; y: number }[] = [];
        let waiting: typeof window = [];
        let windows = 0;
        const mix = (): void => {
            const order = permutation(window.length, this.seed, epoch * 2 ** 16 + windows++);
            for (const i of order) waiting.push(window[i]);
            window = [];
        };
        for await (const row of this.file.rows(this.keep)) {
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

    private batchOf(rows: readonly { readonly x: Float32Array; readonly y: number }[]): Batch {
        const { features, classes } = this.file;
        const values = new Float32Array(rows.length * features);
        rows.forEach(({ x }, i) => values.set(x, i * features));
        const targets = rows.map(({ y }) => y);
        return [
            fromTypedArray(values, [rows.length, features]),
            classes
                ? fromTypedArray(Int32Array.from(targets), [rows.length])
                : fromTypedArray(Float32Array.from(targets), [rows.length, 1]),
        ];
    }
}

function widthOf(column: CsvColumn): number {
    return column.kind === 'category' ? column.values.length : 1;
}

function fieldAt(path: string, fields: readonly string[], place: number, name: string, line: number): string {
    const text = fields[place];
    if (text !== undefined && text !== '') return text;
    throw new DataFileError(
        path,
        `line ${line} has nothing in column '${name}'; fill it in, or leave the line out`,
    );
}

/** The target, then the inputs. */
function chosenColumns(header: readonly string[], { target, inputs }: CsvOptions): string[] {
    const twice = header.find((name, i) => header.indexOf(name) !== i);
    if (twice !== undefined) throw new RangeError(`[CsvFile] two columns are named '${twice}'; rename one`);
    if (inputs !== undefined && !isList(inputs))
        throw new TypeError(`[CsvFile] inputs must be a list of columns, got ${describeValue(inputs)}`);
    const chosen = [...new Set(inputs ?? header.filter((name) => name !== target))];
    const unknown = [target, ...chosen].find((name) => !header.includes(name));
    if (unknown !== undefined)
        throw new RangeError(`[CsvFile] there is no column '${unknown}'; there are ${header.join(', ')}`);
    if (chosen.includes(target)) throw new RangeError(`[CsvFile] the target '${target}' is among the inputs`);
    if (chosen.length === 0) throw new RangeError('[CsvFile] there are no columns to predict from');
    return [target, ...chosen];
}
