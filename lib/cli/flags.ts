import type { Device } from '../tensor/device.js';
import { UsageError } from './usage_error.js';

/** One flag of a command: how its text becomes a value, and what its help says. */
export interface Flag<T> {
    /** What stands for the value in the help, e.g. `<n>`; without it the flag is a switch. */
    readonly placeholder: string | undefined;
    readonly description: string;
    /** The default as the help shows it. */
    readonly defaultText: string | undefined;
    /** The value where the flag is not given. */
    readonly fallback: T;
    /** May be given several times; its texts come with commas between. */
    readonly repeats?: boolean;
    /** Throws a string-carrying {@link UsageError} by way of `reject` where the text is wrong. */
    readonly parse: (text: string, reject: (expected: string) => never) => T;
}

export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

/** The typed configuration that a table of flags yields. */
export type ConfigOf<Table extends FlagTable> = {
    readonly [Key in keyof Table]: Table[Key] extends Flag<infer T> ? T : never;
};

/** What the command line said: the text of each flag by its key, true for a switch. */
export type RawFlags = Readonly<Record<string, string | true | undefined>>;

/** `learningRate` is written `--learning_rate`. */
export function flagName(key: string): string {
    return `--${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
}

/**
 * Turns the texts of the command line into typed values.
 *
 * @throws {UsageError} naming the flag, what was expected and what came.
 */
export function readFlags<Table extends FlagTable>(table: Table, raw: RawFlags): ConfigOf<Table> {
    const entries = Object.entries(table).map(([key, flag]) => {
        const given = Object.hasOwn(raw, key) ? raw[key] : undefined;
        if (given === undefined) return [key, flag.fallback];
        const text = given === true ? 'true' : given;
        const reject = (expected: string): never => {
            throw new UsageError(`${flagName(key)} expects ${expected}, got ${JSON.stringify(text)}`);
        };
        return [key, flag.parse(text, reject)];
    });
    return Object.fromEntries(entries) as ConfigOf<Table>;
}

export interface NumberRange {
    readonly min: number;
    readonly max: number;
    /** Leaves `min` itself out. */
    readonly aboveMin?: boolean;
    /** Leaves `max` itself out. */
    readonly belowMax?: boolean;
}

export function integerFlag<T>(
    description: string,
    fallback: number | T,
    range: NumberRange,
): Flag<number | T> {
    return {
        placeholder: '<n>',
        description,
        defaultText: defaultOf(fallback),
        fallback,
        parse: (text, reject) => parseInteger(text, range) ?? reject(`an integer ${rangeText(range)}`),
    };
}

export function numberFlag<T>(
    description: string,
    fallback: number | T,
    range: NumberRange,
): Flag<number | T> {
    return {
        placeholder: '<number>',
        description,
        defaultText: defaultOf(fallback),
        fallback,
        parse: (text, reject) => parseNumber(text, range) ?? reject(`a number ${rangeText(range)}`),
    };
}

/** Integers with commas between: `32,64`. */
export function integerListFlag<T>(
    description: string,
    fallback: T,
    range: NumberRange,
    maxLength: number,
): Flag<readonly number[] | T> {
    return {
        placeholder: '<n,n,...>',
        description,
        defaultText: undefined,
        fallback,
        parse: (text, reject) => {
            const values = text.split(',').map((part) => parseInteger(part.trim(), range));
            const isGood = values.every((value) => value !== undefined) && values.length <= maxLength;
            return isGood ? values : reject(`1 to ${maxLength} integers ${rangeText(range)}, like 32,64`);
        },
    };
}

/** One word out of a list; `one-cycle` is taken for `one_cycle`. */
export function choiceFlag<const Choice extends string, T = never>(
    description: string,
    fallback: Choice | T,
    choices: readonly Choice[],
): Flag<Choice | T> {
    const isShort = choices.length <= 4;
    return {
        placeholder: isShort ? `<${choices.join('|')}>` : '<name>',
        description: isShort ? description : `${description}: ${choices.join(', ')}`,
        defaultText: defaultOf(fallback),
        fallback,
        parse: (text, reject) => {
            const word = text.toLowerCase().replaceAll('-', '_');
            return (
                choices.find((choice) => choice === word) ??
                reject(choices.length === 1 ? choices[0] : `one of ${choices.join(', ')}`)
            );
        },
    };
}

/** As `choiceFlag`, where the flag alone stands for the first choice. */
export function optionalChoiceFlag<const Choice extends string>(
    description: string,
    choices: readonly [Choice, ...Choice[]],
): Flag<Choice | undefined> {
    const choice = choiceFlag<Choice, undefined>(description, undefined, choices);
    return {
        ...choice,
        placeholder: `[${choices.join('|')}]`,
        parse: (text, reject) => (text === 'true' ? choices[0] : choice.parse(text, reject)),
    };
}

/** `--device`: where to compute; `auto` leaves the choice to the command. */
export function deviceFlag(): Flag<Device | 'auto'> {
    return {
        placeholder: '<cpu|cuda|cuda:n|auto>',
        description: 'where to compute; cuda is the first GPU, cuda:1 the second',
        defaultText: 'auto',
        fallback: 'auto',
        parse: (text, reject) => {
            const word = text.toLowerCase();
            if (word === 'cpu' || word === 'cuda' || word === 'auto') return word;
            const [, ordinal] = /^cuda:(\d{1,4})$/.exec(word) ?? reject('one of cpu, cuda, cuda:1, auto');
            return `cuda:${Number(ordinal)}`;
        },
    };
}

/** A path, which may not be empty. */
export function pathFlag<T>(
    description: string,
    placeholder: string,
    fallback: string | T,
): Flag<string | T> {
    return {
        placeholder,
        description,
        defaultText: defaultOf(fallback),
        fallback,
        parse: (text, reject) => (text === '' || text.includes('\0') ? reject('a path') : text),
    };
}

/** A name that becomes a folder or a file, so it may not lead elsewhere. */
export function nameFlag<T>(description: string, fallback: string | T): Flag<string | T> {
    return {
        placeholder: '<name>',
        description,
        defaultText: defaultOf(fallback),
        fallback,
        parse: (text, reject) =>
            /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(text)
                ? text
                : reject(
                      'a name of letters, digits, ".", "_" and "-", at most 100, starting with a letter or digit',
                  ),
    };
}

/** Any text of one line. */
export function textFlag(description: string, placeholder: string): Flag<string | undefined> {
    return {
        placeholder,
        description,
        defaultText: undefined,
        fallback: undefined,
        parse: (text, reject) =>
            /^[^\p{Cc}]{1,250}$/u.test(text) && text.trim() !== '' ? text : reject('a text of one line'),
    };
}

export function switchFlag(description: string): Flag<boolean> {
    return {
        placeholder: undefined,
        description,
        defaultText: undefined,
        fallback: false,
        parse: () => true,
    };
}

function parseInteger(text: string, range: NumberRange): number | undefined {
    // 5e9 and 0x10 are integers to JavaScript, but a slip more often than meant.
    return /^[+-]?\d+$/.test(text) ? inRange(Number(text), range) : undefined;
}

function parseNumber(text: string, range: NumberRange): number | undefined {
    const isPlain = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);
    return isPlain ? inRange(Number(text), range) : undefined;
}

function inRange(value: number, { min, max, aboveMin, belowMax }: NumberRange): number | undefined {
    const isInside = (aboveMin ? value > min : value >= min) && (belowMax ? value < max : value <= max);
    return isInside && Number.isFinite(value) ? value : undefined;
}

function rangeText({ min, max, aboveMin, belowMax }: NumberRange): string {
    if (!aboveMin && !belowMax) return `from ${min} to ${max}`;
    return `${aboveMin ? 'above' : 'of at least'} ${min} and ${belowMax ? 'below' : 'at most'} ${max}`;
}

function defaultOf(fallback: unknown): string | undefined {
    return typeof fallback === 'string' || typeof fallback === 'number' ? String(fallback) : undefined;
}
