/** A value that JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Reads one option of a layer from JSON that may come from anyone. */
export type Field<T> = (value: unknown, place: string) => T;

/** The architecture is no description of layers that this version knows. */
export class ArchitectureError extends Error {
    override readonly name = 'ArchitectureError';
}

export function refuse(place: string, expected: string, value: unknown): never {
    const got = value === undefined ? 'nothing' : (JSON.stringify(value) ?? typeof value).slice(0, 60);
    throw new ArchitectureError(`[fromConfig] ${place}: expected ${expected}, got ${got}`);
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
        throw new ArchitectureError(
            `[fromConfig] ${place}: unknown option '${unknown.slice(0, 60)}'; it has ${names.join(', ') || 'none'}`,
        );
    }
    return Object.fromEntries(
        names.map((name) => [name, fields[name](given.get(name), `${place}.${name}`)]),
    ) as O;
}
