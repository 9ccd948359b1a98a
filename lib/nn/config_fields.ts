/** A value that JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Reads one value from JSON that may come from anyone. */
export type Field<T> = (value: unknown, place: string) => T;

/** A description of layers, or of a model's inputs and classes, that this version does not understand. */
export class ConfigError extends Error {
    override readonly name = 'ConfigError';
}

export function refuse(place: string, expected: string, value: unknown): never {
    throw new ConfigError(`${place}: expected ${expected}, got ${shown(value).slice(0, 60)}`);
}

function shown(value: unknown): string {
    if (value === undefined) return 'nothing';
    if (typeof value === 'number' || typeof value === 'bigint') return String(value);
    try {
        return JSON.stringify(value) ?? typeof value;
    } catch {
        return `an ${typeof value} that is no JSON`;
    }
}

const largest = 2 ** 31;

function integerFrom(least: number): Field<number> {
    return (value, place) => {
        if (typeof value === 'number' && Number.isInteger(value) && value >= least && value < largest)
            return value;
        return refuse(place, `an integer from ${least} to ${largest - 1}`, value);
    };
}

export const size = integerFrom(1);
export const natural = integerFrom(0);
export const integer = integerFrom(-largest);

export const number: Field<number> = (value, place) =>
    typeof value === 'number' && Number.isFinite(value) ? value : refuse(place, 'a finite number', value);

export const text: Field<string> = (value, place) =>
    typeof value === 'string' ? value : refuse(place, 'a text', value);

export const flag: Field<boolean> = (value, place) =>
    typeof value === 'boolean' ? value : refuse(place, 'true or false', value);

export function oneOf<const T extends readonly string[]>(...words: T): Field<T[number]> {
    return (value, place) =>
        words.find((word) => word === value) ?? refuse(place, `one of ${words.join(', ')}`, value);
}

/** One number, or [rows, columns]. */
export function pairOf(field: Field<number>): Field<number | readonly [number, number]> {
    return (value, place) => {
        if (!Array.isArray(value)) return field(value, place);
        const items: readonly unknown[] = value;
        if (items.length !== 2) return refuse(place, 'a number or two', value);
        return [field(items[0], `${place}[0]`), field(items[1], `${place}[1]`)];
    };
}

export function listOf<T>(field: Field<T>, longest: number): Field<readonly T[]> {
    return (value, place) => {
        if (!Array.isArray(value) || value.length === 0 || value.length > longest)
            return refuse(place, `a list of 1 to ${longest}`, value);
        return value.map((item: unknown, i) => field(item, `${place}[${i}]`));
    };
}

export function optional<T>(field: Field<T>): Field<T | null> {
    return (value, place) => (value === null ? null : field(value, place));
}

/** A field that may be missing. */
export function maybe<T>(field: Field<T>): Field<T | undefined> {
    return (value, place) => (value === undefined ? undefined : field(value, place));
}

const deepest = 32;

function readJson(value: unknown, place: string, level: number): Json {
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
    if (typeof value === 'number') return number(value, place);
    if (!Array.isArray(value)) return readRecord(value, place, level);
    if (level > deepest) return refuse(place, `at most ${deepest} levels`, 'more');
    return value.map((item: unknown, i) => readJson(item, `${place}[${i}]`, level + 1));
}

function readRecord(value: unknown, place: string, level: number): Readonly<Record<string, Json>> {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
        return refuse(place, level === 1 ? 'an object' : 'JSON', value);
    if (level > deepest) return refuse(place, `at most ${deepest} levels`, 'more');
    const items = Object.entries(value).map(([name, item]: [string, unknown]): [string, Json] => [
        name,
        readJson(item, `${place}.${name}`, level + 1),
    ]);
    return Object.fromEntries(items);
}

/** JSON of any names. */
export const record: Field<Readonly<Record<string, Json>>> = (value, place) => readRecord(value, place, 1);

/** An object with exactly these fields. */
export function readFields<O>(
    value: unknown,
    place: string,
    fields: { readonly [K in keyof O]: Field<O[K]> },
): O {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
        return refuse(place, 'an object', value);
    const given = new Map<string, unknown>(Object.entries(value));
    const names = Object.keys(fields) as (keyof O & string)[];
    const unknown = [...given.keys()].find((name) => name !== 'type' && !names.some((own) => own === name));
    if (unknown !== undefined) {
        throw new ConfigError(
            `${place}: unknown option '${unknown.slice(0, 60)}'; it has ${names.join(', ') || 'none'}`,
        );
    }
    return Object.fromEntries(
        names.map((name) => [name, fields[name](given.get(name), `${place}.${name}`)]),
    ) as O;
}
