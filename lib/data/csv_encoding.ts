import { ConfigError, flag, listOf, number, oneOf, readFields, refuse, text } from '../nn/config_fields.js';
import type { Field } from '../nn/config_fields.js';
import { mostValues, numberOf, type CsvColumn } from './csv_columns.js';

/**
 * How the rows of a table become numbers, as found in the rows that a model was trained on: plain JSON, to be kept with the
 * model (`extra` of `saveModel`) and given to `CsvFile.openEncoded` for rows that come later.
 */
export type CsvEncoding = Readonly<{
    version: 1;
    target: CsvColumn;
    inputs: readonly CsvColumn[];
    standardize: boolean;
    handleUnknown: HandleUnknown;
    missing: HandleMissing;
    /** Texts that stand for a missing value. */
    missingTexts: readonly string[];
}>;

/** Of a text that the rows of training did not hold: 'error', or zeros ('ignore'), as scikit-learn's OneHotEncoder. */
export type HandleUnknown = (typeof unknownWords)[number];

/** Of a missing value: 'error', or the mean of numbers and a category of its own ('impute'). */
export type HandleMissing = (typeof missingWords)[number];

export const unknownWords = ['error', 'ignore'] as const;
export const missingWords = ['error', 'impute'] as const;

/** What pandas takes for a missing value, most of it. */
export const usualMissingTexts: readonly string[] = [
    '',
    'NA',
    'N/A',
    '#N/A',
    'NaN',
    'nan',
    'null',
    'NULL',
    '<NA>',
];

/** Numbers that an input column becomes: one, or one for each text of a category. */
export function widthOf(column: CsvColumn): number {
    return column.kind === 'category' ? column.values.length : 1;
}

/** Why a field cannot become a number. */
export class FieldError extends Error {}

/** Says what is missing in the field of a column, or that it is there. */
export function presentText(
    { missing, missingTexts }: Pick<CsvEncoding, 'missing' | 'missingTexts'>,
    name: string,
    field: string | undefined,
): string {
    const isMissing = field === undefined || missingTexts.includes(field);
    if (!isMissing) return field;
    if (missing === 'impute') return '';
    const what = field ? `only '${field}'` : 'nothing';
    throw new FieldError(
        `has ${what} in column '${name}'; fill it in, leave the line out, or open the file with missing: 'impute'`,
    );
}

/** Writes one field of a row behind `place`; a missing number is the mean, that is 0 where numbers are standardised. */
export function encodeInput(
    encoding: CsvEncoding,
    column: CsvColumn,
    field: string | undefined,
    out: Float32Array,
    place: number,
): void {
    const given = presentText(encoding, column.name, field);
    if (column.kind === 'category') {
        const index = column.values.indexOf(given);
        if (index >= 0) out[place + index] = 1;
        else if (encoding.handleUnknown === 'error') throw unknownCategory(column, given);
        return;
    }
    const value = given === '' ? column.mean : readNumber(column, given);
    out[place] = encoding.standardize ? (value - column.mean) / (column.std || 1) : value;
}

/** A target: the number of its class, or its value. */
export function encodeTarget(encoding: CsvEncoding, field: string | undefined): number {
    const { target } = encoding;
    const given = presentText({ ...encoding, missing: 'error' }, target.name, field);
    if (target.kind === 'number') return readNumber(target, given);
    const index = target.values.indexOf(given);
    if (index >= 0) return index;
    throw new FieldError(
        `has '${given.slice(0, 40)}' in column '${target.name}', none of the classes of the training rows ` +
            `(${listed(target.values)})`,
    );
}

function readNumber({ name }: CsvColumn, given: string): number {
    const value = numberOf(given);
    if (value !== undefined) return value;
    throw new FieldError(
        `has '${given.slice(0, 40)}' in column '${name}', which held numbers in the training rows`,
    );
}

function unknownCategory({ name, values }: CsvColumn & { kind: 'category' }, given: string): FieldError {
    const what = given === '' ? 'nothing' : `'${given.slice(0, 40)}'`;
    return new FieldError(
        `has ${what} in column '${name}', which the training rows did not hold (they have ${listed(values)}); ` +
            "handleUnknown: 'ignore' makes zeros of it",
    );
}

function listed(values: readonly string[]): string {
    return values.slice(0, 5).join(', ') + (values.length > 5 ? ', …' : '');
}

const notNegative: Field<number> = (value, place) =>
    number(value, place) >= 0 ? Number(value) : refuse(place, 'a number from 0', value);

const categories: Field<readonly string[]> = (value, place) => {
    const values = listOf(text, mostValues)(value, place);
    return new Set(values).size === values.length ? values : refuse(place, 'texts that differ', value);
};

const column: Field<CsvColumn> = (value, place) => {
    const kind = (value as { kind?: unknown } | null | undefined)?.kind;
    if (oneOf('number', 'category')(kind, `${place}.kind`) === 'category')
        return readFields<CsvColumn & { kind: 'category' }>(value, place, {
            name: text,
            kind: oneOf('category'),
            values: categories,
        });
    return readFields<CsvColumn & { kind: 'number' }>(value, place, {
        name: text,
        kind: oneOf('number'),
        mean: number,
        std: notNegative,
    });
};

const fields: { readonly [K in keyof CsvEncoding]: Field<CsvEncoding[K]> } = {
    version: (value, place) => (value === 1 ? 1 : refuse(place, '1, the only version there is', value)),
    target: column,
    inputs: listOf(column, 65_536),
    standardize: flag,
    handleUnknown: oneOf(...unknownWords),
    missing: oneOf(...missingWords),
    missingTexts: listOf(text, 1000),
};

/**
 * Checks an encoding that came out of a file, which anyone may have written.
 *
 * @throws ConfigError that names the field, what was expected and what came.
 */
export function readCsvEncoding(value: unknown): CsvEncoding {
    const read = readFields<CsvEncoding>(value, 'encoding', fields);
    const names = [read.target, ...read.inputs].map(({ name }) => name);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice === undefined) return read;
    throw new ConfigError(`encoding: two columns are named '${twice.slice(0, 40)}'`);
}
