import { describeValue } from '../support/describe_value.js';

const NAME = /^[\p{L}\p{N}_\-. :/]+$/u;
const MOST_LETTERS = 250;

/** A name as MLflow takes it, too: some of its servers refuse a whole request for one bad name. */
export function requireName(op: string, what: string, name: unknown): asserts name is string {
    const isPath =
        typeof name === 'string' &&
        NAME.test(name) &&
        name.length <= MOST_LETTERS &&
        name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
    if (isPath) return;
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
