import { SafetensorsError } from './safetensors_error.js';

/** One entry of the header as written, not yet checked against the data. */
export interface RawEntry {
    readonly dtype: string;
    readonly shape: number[];
    readonly offsets: [number, number];
}

export interface RawHeader {
    readonly metadata: Map<string, string> | undefined;
    readonly entries: Map<string, RawEntry>;
}

const METADATA_KEY = '__metadata__';
const MAX_RANK = 64;
const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
    ['"', '"'],
    ['\\', '\\'],
    ['/', '/'],
    ['b', '\b'],
    ['f', '\f'],
    ['n', '\n'],
    ['r', '\r'],
    ['t', '\t'],
]);

/**
 * Reads the one JSON shape that a safetensors header may have, and nothing else. `JSON.parse` will not do: it keeps the
 * last of two equal keys, rounds integers over 2^53 and accepts 1e3. The grammar is flat, so hostile nesting cannot
 * recurse.
 */
export class HeaderParser {
    private position = 0;

    constructor(private readonly text: string) {}

    parse(): RawHeader {
        let metadata: Map<string, string> | undefined;
        const entries = new Map<string, RawEntry>();
        this.readObject('header', (key) => {
            if (key === METADATA_KEY) {
                if (metadata !== undefined) this.failDuplicate('header', key);
                metadata = this.readMetadata();
            } else {
                if (entries.has(key)) this.failDuplicate('header', key);
                entries.set(key, this.readEntry(key));
            }
        });
        this.skipSpace();
        if (this.position < this.text.length) this.fail('header', 'end of the header');
        return { metadata, entries };
    }

    private readMetadata(): Map<string, string> {
        const metadata = new Map<string, string>();
        this.readObject(METADATA_KEY, (key) => {
            if (metadata.has(key)) this.failDuplicate(METADATA_KEY, key);
            if (this.text[this.position] !== '"') {
                throw new SafetensorsError(
                    'metadata',
                    METADATA_KEY,
                    `value of ${quote(key)} must be a string`,
                );
            }
            metadata.set(key, this.readString(METADATA_KEY));
        });
        return metadata;
    }

    private readEntry(name: string): RawEntry {
        const where = tensorPlace(name);
        let dtype: string | undefined;
        let shape: number[] | undefined;
        let offsets: number[] | undefined;
        this.readObject(where, (key) => {
            if (key === 'dtype') {
                if (dtype !== undefined) this.failDuplicate(where, key);
                dtype = this.readString(where);
            } else if (key === 'shape') {
                if (shape !== undefined) this.failDuplicate(where, key);
                shape = this.readIntegers(where, MAX_RANK, 'rank');
            } else if (key === 'data_offsets') {
                if (offsets !== undefined) this.failDuplicate(where, key);
                offsets = this.readIntegers(where, 2, 'field');
            } else {
                throw new SafetensorsError(
                    'unknown-field',
                    where,
                    `unknown field ${quote(key)}; expected dtype, shape, data_offsets`,
                );
            }
        });
        if (dtype === undefined) throw new SafetensorsError('field', where, 'the field "dtype" is missing');
        if (shape === undefined) throw new SafetensorsError('field', where, 'the field "shape" is missing');
        if (offsets === undefined)
            throw new SafetensorsError('field', where, 'the field "data_offsets" is missing');
        const [begin, end] = offsets;
        if (begin === undefined || end === undefined) {
            throw new SafetensorsError(
                'offsets',
                where,
                `data_offsets needs two integers, got ${offsets.length}`,
            );
        }
        return { dtype, shape, offsets: [begin, end] };
    }

    /** Reads `{ "key": value, ... }`; `readValue` is called with the reader at the first character of the value. */
    private readObject(where: string, readValue: (key: string) => void): void {
        this.expect(where, '{');
        if (this.accept('}')) return;
        do {
            this.skipSpace();
            const key = this.readString(where);
            this.expect(where, ':');
            this.skipSpace();
            readValue(key);
        } while (this.accept(','));
        this.expect(where, '}');
    }

    private readIntegers(where: string, limit: number, code: 'field' | 'rank'): number[] {
        const values: number[] = [];
        this.expect(where, '[');
        if (this.accept(']')) return values;
        do {
            if (values.length === limit) {
                throw new SafetensorsError(
                    code,
                    where,
                    `more than ${limit} integers in a list at character ${this.position}`,
                );
            }
            this.skipSpace();
            values.push(this.readInteger(where));
        } while (this.accept(','));
        this.expect(where, ']');
        return values;
    }

    private readInteger(where: string): number {
        const start = this.position;
        let code = this.text.charCodeAt(this.position);
        while (code >= 48 && code <= 57) code = this.text.charCodeAt(++this.position);
        const digits = this.text.slice(start, this.position);
        const value = Number(digits);
        const isPlain = digits.length > 0 && (digits.length === 1 || !digits.startsWith('0'));
        // A dot, an exponent or a letter behind the digits is no integer either.
        const next = this.text[this.position] ?? '';
        if (!isPlain || !',] \t\r\n'.includes(next) || next === '') {
            this.position = start;
            this.fail(where, `an integer from 0 to ${Number.MAX_SAFE_INTEGER} in plain digits`);
        }
        if (Number.isSafeInteger(value)) return value;
        throw new SafetensorsError(
            'integer-range',
            where,
            `the integer ${digits} at character ${start} is above ${Number.MAX_SAFE_INTEGER}`,
        );
    }

    private readString(where: string): string {
        if (this.text[this.position] !== '"') this.fail(where, 'a string in double quotes');
        this.position++;
        let value = '';
        let runStart = this.position;
        for (;;) {
            const code = this.text.charCodeAt(this.position);
            if (Number.isNaN(code)) this.fail(where, 'the end of a string');
            if (code < 0x20) this.fail(where, 'no bare control character in a string');
            if (code === 0x22) break;
            this.position++;
            if (code === 0x5c) {
                value += this.text.slice(runStart, this.position - 1) + this.readEscape(where);
                runStart = this.position;
            }
        }
        value += this.text.slice(runStart, this.position);
        this.position++;
        if (!isWellFormed(value)) this.fail(where, 'no half of a surrogate pair in a string');
        return value;
    }

    private readEscape(where: string): string {
        const letter = this.text[this.position] ?? '';
        const simple = SIMPLE_ESCAPES.get(letter);
        if (simple !== undefined) {
            this.position++;
            return simple;
        }
        const digits = this.text.slice(this.position + 1, this.position + 5);
        if (letter !== 'u' || !/^[0-9a-fA-F]{4}$/.test(digits)) this.fail(where, 'a JSON escape');
        this.position += 5;
        return String.fromCharCode(Number.parseInt(digits, 16));
    }

    private skipSpace(): void {
        while (isSpace(this.text.charCodeAt(this.position))) this.position++;
    }

    private accept(character: string): boolean {
        this.skipSpace();
        if (this.text[this.position] !== character) return false;
        this.position++;
        return true;
    }

    private expect(where: string, character: string): void {
        if (!this.accept(character)) this.fail(where, quote(character));
    }

    private fail(where: string, expected: string): never {
        const got =
            this.position < this.text.length
                ? quote(this.text.slice(this.position, this.position + 12))
                : 'the end';
        const detail = `expected ${expected} at character ${this.position} of the header, got ${got}`;
        throw new SafetensorsError('header-json', where, detail);
    }

    private failDuplicate(where: string, key: string): never {
        throw new SafetensorsError('duplicate-key', where, `the key ${quote(key)} appears twice`);
    }
}

export function tensorPlace(name: string): string {
    return `tensor ${quote(name)}`;
}

/** False where a string holds half of a surrogate pair, which UTF-8 cannot write. */
export function isWellFormed(text: string): boolean {
    return !/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(text);
}

function isSpace(code: number): boolean {
    return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** A hostile name may be megabytes long; a message should not. */
function quote(text: string): string {
    return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
