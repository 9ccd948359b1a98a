import { describeValue, isList } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import type { Tensor } from '../tensor/tensor.js';
import {
    CsvBatches,
    inputsOf,
    requireInteger,
    requireRowTest,
    type CsvBatchOptions,
    type EncodedRow,
} from './csv_batches.js';
import { ColumnScan, type CsvColumn } from './csv_columns.js';
import {
    encodeInput,
    encodeTarget,
    FieldError,
    missingWords,
    presentText,
    readCsvEncoding,
    unknownWords,
    usualMissingTexts,
    widthOf,
    type CsvEncoding,
    type HandleMissing,
    type HandleUnknown,
} from './csv_encoding.js';
import { openRows, rowsOf } from './csv_rows.js';
import { DataFileError } from './data_file_error.js';
import { TensorDataset } from './dataset.js';

export interface CsvOptions {
    /** The column to predict. */
    readonly target: string;
    /** The columns to predict from. Default: all others. */
    readonly inputs?: readonly string[];
    /** 'classification' makes classes of the target's texts, 'regression' needs numbers. Default: by what it holds. */
    readonly task?: 'classification' | 'regression';
    /**
     * Which rows, by their number from 0, the model is trained on: means, deviations and categories are taken of them alone, so
     * that nothing of rows held out is known. Default: all.
     */
    readonly training?: (row: number) => boolean;
    /** Bring columns of numbers, inputs alone, to mean 0 and deviation 1. Default: true. */
    readonly standardize?: boolean;
    /**
     * A text in a column of categories that the training rows did not hold: 'error' (default) says where it is, 'ignore' gives
     * zeros for all categories, as scikit-learn's `OneHotEncoder(handle_unknown=...)`.
     */
    readonly handleUnknown?: HandleUnknown;
    /**
     * A missing value among the inputs: 'error' (default) says where it is; 'impute' takes the mean of the training rows for a
     * number, as `SimpleImputer`, and a category of its own for a text (unknown, where the training rows lack none).
     */
    readonly missing?: HandleMissing;
    /** Texts that stand for a missing value. Default: nothing at all, and most that pandas takes for one (NA, NaN, null, ...). */
    readonly missingTexts?: readonly string[];
    /** Default: ','. */
    readonly delimiter?: string;
}

export interface CsvOpenOptions {
    /** Default: ','. */
    readonly delimiter?: string;
}

const optionNames = [
    'target',
    'inputs',
    'task',
    'training',
    'standardize',
    'handleUnknown',
    'missing',
    'missingTexts',
    'delimiter',
];

/**
 * A table in a CSV file with a header, read as a stream: one walk through the file finds what its columns hold (numbers, or
 * categories, which become one input per text), later ones make batches, so that the file may be larger than memory.
 *
 * What was found is the table's `encoding`. It is plain JSON: saved with the model, it makes the same numbers of rows that come
 * later (`openEncoded`).
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
        /** How rows become numbers. */
        readonly encoding: CsvEncoding,
        private readonly header: readonly string[],
        private readonly delimiter: string,
    ) {}

    /**
     * Walks through the file once.
     *
     * @throws DataFileError where it is missing, is no CSV file, has no rows, or holds what cannot be learned from, with the line;
     * RangeError for columns that it does not have.
     */
    static async open(path: string, options: CsvOptions): Promise<CsvFile> {
        requirePath(path);
        requireOptionNames('[CsvFile]', options, optionNames);
        const { task, training = () => true, delimiter = ',' } = options;
        const { standardize = true, handleUnknown = 'error', missing = 'error' } = options;
        const { missingTexts = usualMissingTexts } = options;
        requireWord('task', task, ['classification', 'regression', undefined]);
        requireWord('handleUnknown', handleUnknown, unknownWords);
        requireWord('missing', missing, missingWords);
        requireRowTest('training', training);
        requireTexts('missingTexts', missingTexts);
        const { header, rows } = await openRows(path, delimiter);
        const wanted = chosenColumns(header, options);
        const scans = wanted.map((name) => ({ scan: new ColumnScan(name), place: header.indexOf(name) }));
        let samples = 0;
        for await (const { line, fields } of rows) {
            const isTraining = training(samples++);
            for (const [i, { scan, place }] of scans.entries()) {
                // A target is never made up.
                const handling = { missing: i === 0 ? 'error' : missing, missingTexts } as const;
                const text = atLine(path, line, () => presentText(handling, scan.name, fields[place]));
                if (isTraining) scan.add(text, line);
            }
        }
        if (samples === 0) throw new DataFileError(path, 'holds no row behind its header');
        const [target, ...inputs] = scans.map(({ scan }, i) =>
            columnOf(path, scan, i === 0 && task === 'classification'),
        );
        if (!target || (task === 'regression' && target.kind !== 'number'))
            throw new DataFileError(
                path,
                `column '${options.target}' holds texts, which no regression predicts; leave task out, or correct it`,
            );
        const handling = { standardize, handleUnknown, missing, missingTexts: [...missingTexts] };
        return new CsvFile(path, samples, { version: 1, target, inputs, ...handling }, header, delimiter);
    }

    /**
     * Opens rows that came later with the encoding of the table that a model was trained on: the same columns, in any order, with the
     * means, deviations and categories of then. Further columns do not matter; the target may be missing where it is to be predicted.
     *
     * @param encoding - `encoding` of the other table, as JSON gives it back.
     * @throws ConfigError for an encoding that is none; DataFileError where the file is missing, is no CSV file, or lacks a column.
     * @example
     * import { writeFileSync } from 'node:fs';
     * import { data, nn } from 'nativegrad';
     * writeFileSync('fruit.csv', 'weight,colour,name\n150,red,apple\n120,green,pear\n180,green,apple\n');
     * const table = await data.CsvFile.open('fruit.csv', { target: 'name', handleUnknown: 'ignore' });
     * await nn.saveModel('fruit.safetensors', new nn.Sequential(new nn.Linear(table.features, 2)), {
     *     extra: { table: table.encoding },
     * });
     * // Another day:
     * writeFileSync('new.csv', 'colour,weight\nblue,150\n');
     * const { model, info } = await nn.loadModel('fruit.safetensors');
     * const rows = await data.CsvFile.openEncoded('new.csv', info.extra?.table);
     * for await (const x of rows.inputBatches()) console.log(x.toArray(), model.forward(x).shape); // [[0, 0, 0]] [1, 2]
     */
    static async openEncoded(
        path: string,
        encoding: unknown,
        options: CsvOpenOptions = {},
    ): Promise<CsvFile> {
        requirePath(path);
        requireOptionNames('[CsvFile]', options, ['delimiter']);
        const { delimiter = ',' } = options;
        const own = readCsvEncoding(encoding);
        const { header, rows } = await openRows(path, delimiter);
        const lacking = own.inputs.find(({ name }) => !header.includes(name));
        if (lacking) {
            await rows.return(undefined);
            throw new DataFileError(
                path,
                `has no column '${lacking.name}', which the model was trained on; there are ${header.join(', ')}`,
            );
        }
        let samples = 0;
        while (!(await rows.next()).done) samples++;
        if (samples === 0) throw new DataFileError(path, 'holds no row behind its header');
        return new CsvFile(path, samples, own, header, delimiter);
    }

    /** Columns to predict from. */
    get inputs(): readonly CsvColumn[] {
        return this.encoding.inputs;
    }

    /** The column to predict; of a regression, its mean and deviation are those of the training rows. */
    get target(): CsvColumn {
        return this.encoding.target;
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
     *
     * @throws DataFileError where the file has no column of targets.
     */
    batches(options: CsvBatchOptions = {}): CsvBatches {
        if (!this.header.includes(this.target.name))
            throw new DataFileError(
                this.path,
                `has no column '${this.target.name}' to learn or to compare with; inputBatches() reads what predictions need`,
            );
        return new CsvBatches(this, options);
    }

    /** Inputs alone, float32 [n, features], in the file's order: what predictions need. */
    async *inputBatches(
        options: Pick<CsvBatchOptions, 'batchSize' | 'keep'> = {},
    ): AsyncGenerator<Tensor, void, undefined> {
        requireOptionNames('[CsvFile]', options, ['batchSize', 'keep']);
        const { batchSize = 32, keep = () => true } = options;
        requireInteger('batchSize', batchSize, 1);
        requireRowTest('keep', keep);
        let waiting: { x: Float32Array }[] = [];
        for await (const row of this.encodedRows(keep, false)) {
            waiting.push(row);
            if (waiting.length < batchSize) continue;
            yield inputsOf(waiting, this.features);
            waiting = [];
        }
        if (waiting.length > 0) yield inputsOf(waiting, this.features);
    }

    /** The rows, or those that `keep` takes, in memory. */
    async dataset(options: Pick<CsvBatchOptions, 'keep'> = {}): Promise<TensorDataset> {
        requireOptionNames('[CsvFile]', options, ['keep']);
        for await (const [inputs, targets] of this.batches({ ...options, batchSize: this.samples }))
            return new TensorDataset(inputs, targets);
        throw new DataFileError(
            this.path,
            options.keep ? 'holds no row that keep takes' : 'holds no row any more',
        );
    }

    /** @internal Rows as they are asked for, as values of inputs and the target. */
    rows(keep: (row: number) => boolean): AsyncGenerator<EncodedRow, void, undefined> {
        return this.encodedRows(keep, true);
    }

    private async *encodedRows(
        keep: (row: number) => boolean,
        withTarget: boolean,
    ): AsyncGenerator<EncodedRow, void, undefined> {
        const { path, header, inputs, target, encoding, features } = this;
        const places = new Map(header.map((name, i) => [name, i]));
        const fieldOf = (fields: readonly string[], { name }: CsvColumn): string | undefined =>
            fields[places.get(name) ?? -1];
        let row = -1;
        for await (const { line, fields } of rowsOf(path, this.delimiter)) {
            if (row++ === -1 || !keep(row - 1)) continue;
            yield atLine(path, line, () => {
                const x = new Float32Array(features);
                let place = 0;
                for (const column of inputs) {
                    encodeInput(encoding, column, fieldOf(fields, column), x, place);
                    place += widthOf(column);
                }
                return { x, y: withTarget ? encodeTarget(encoding, fieldOf(fields, target)) : NaN };
            });
        }
    }
}

/** What `read` gives; its complaint about a field gets file and line. */
function atLine<T>(path: string, line: number, read: () => T): T {
    try {
        return read();
    } catch (cause) {
        if (cause instanceof FieldError)
            throw new DataFileError(path, `line ${line} ${cause.message}`, { cause });
        throw cause;
    }
}

function columnOf(path: string, scan: ColumnScan, asClass: boolean): CsvColumn {
    try {
        return scan.column(asClass);
    } catch (cause) {
        throw new DataFileError(path, cause instanceof Error ? cause.message : String(cause), { cause });
    }
}

function requirePath(path: unknown): void {
    if (typeof path === 'string' && path !== '') return;
    throw new TypeError(`[CsvFile] takes the path of the file, got ${describeValue(path)}`);
}

function requireWord(name: string, value: unknown, words: readonly (string | undefined)[]): void {
    if (words.includes(value as string)) return;
    const listed = words.filter((word) => word !== undefined).map((word) => `'${word}'`);
    throw new TypeError(`[CsvFile] ${name} must be ${listed.join(' or ')}, got ${describeValue(value)}`);
}

function requireTexts(name: string, value: unknown): void {
    const list = Array.isArray(value) ? (value as unknown[]) : [];
    if (list.length > 0 && list.every((text) => typeof text === 'string')) return;
    throw new TypeError(`[CsvFile] ${name} must be a list of texts, got ${describeValue(value)}`);
}

/** The target, then the inputs. */
function chosenColumns(header: readonly string[], { target, inputs }: CsvOptions): string[] {
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
