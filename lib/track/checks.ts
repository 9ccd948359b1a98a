import { describeValue } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';

const NAME = /^[\p{L}\p{N}_\-. :/]+$/u;
const MOST_LETTERS = 250;

/** A name as MLflow takes it, too: some of its servers refuse a whole request for one bad name. */
export function isName(name: unknown): name is string {
    return (
        typeof name === 'string' &&
        NAME.test(name) &&
        name.length <= MOST_LETTERS &&
        name.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
    );
}

/** Throws where `name` is none. */
export function requireName(op: string, what: string, name: unknown): asserts name is string {
    if (isName(name)) return;
    const expected = `letters, digits, "_", "-", ".", ":", spaces and "/" between parts, at most ${MOST_LETTERS}`;
    throw new TypeError(`[${op}] ${what} must be a name of ${expected}, got ${describeValue(name)}`);
}

/** Throws where `values` is no plain object of names. */
export function requireValues(op: string, what: string, values: unknown): asserts values is object {
    if (typeof values !== 'object' || values === null || Array.isArray(values)) {
        throw new TypeError(`[${op}] expected an object such as { loss: 0.5 }, got ${describeValue(values)}`);
    }
    for (const name of Object.keys(values)) requireName(op, what, name);
}

const DATASET_NAMES = ['name', 'digest', 'source', 'sourceType', 'context', 'profile'];
const MOST_DIGEST = 36;

/** Throws where a data set is not told as MLflow takes it. */
export function requireDataset(op: string, dataset: object): void {
    requireOptionNames(`[${op}]`, dataset, DATASET_NAMES);
    const fields: Readonly<Record<string, unknown>> = { ...dataset };
    for (const name of ['name', 'digest', 'source', 'sourceType', 'context']) {
        const value = fields[name];
        if (value === undefined && (name === 'sourceType' || name === 'context')) continue;
        if (typeof value !== 'string' || value === '')
            throw new TypeError(`[${op}] ${name} must be a text, got ${describeValue(value)}`);
    }
    const { digest } = fields as { digest: string };
    if (digest.length > MOST_DIGEST)
        throw new RangeError(`[${op}] digest takes ${MOST_DIGEST} characters at most, got ${digest.length}`);
}

/** A parameter or tag as text; lists and objects as JSON. */
export function textOf(value: unknown): string {
    if (typeof value === 'string') return value;
    if (typeof value === 'object' && value !== null) return JSON.stringify(value);
    return String(value);
}

/** Pieces of at most `size` entries. */
export function pieces<T>(values: Readonly<Record<string, T>>, size: number): Record<string, T>[] {
    const entries = Object.entries(values);
    const count = Math.ceil(entries.length / size);
    return Array.from({ length: count }, (_, i) =>
        Object.fromEntries(entries.slice(i * size, (i + 1) * size)),
    );
}
