import { NpyError } from './npy_error.js';

/** What the header of a .npy file says, not yet checked against dtypes. */
export interface NpyHeader {
    readonly descr: string;
    readonly isFortran: boolean;
    readonly shape: readonly number[];
    /** Where the elements begin. */
    readonly dataStart: number;
}

const MAGIC = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59);
const MAX_HEADER_BYTES = 1 << 20;
const MAX_RANK = 64;

/**
 * Reads the header of versions 1 to 3 (numpy.org/doc/stable/reference/generated/numpy.lib.format.html): magic, version, length, and
 * a Python dict of exactly `descr`, `fortran_order` and `shape`.
 */
export function readNpyHeader(bytes: Uint8Array, source: string): NpyHeader {
    if (bytes.length < 10 || MAGIC.some((byte, i) => bytes[i] !== byte))
        throw new NpyError(source, 'is no .npy file: it does not start with \\x93NUMPY and a version');
    const version = bytes[6] ?? 0;
    if (version < 1 || version > 3)
        throw new NpyError(source, `has version ${version} of the .npy format, expected 1, 2 or 3`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const start = version === 1 ? 10 : 12;
    if (bytes.length < start) throw new NpyError(source, 'is cut short in its header');
    const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
    if (length > MAX_HEADER_BYTES)
        throw new NpyError(source, `announces a header of ${length} bytes, the limit is ${MAX_HEADER_BYTES}`);
    if (length > bytes.length - start)
        throw new NpyError(
            source,
            `is cut short: a header of ${length} bytes, ${bytes.length - start} follow`,
        );
    const text = new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(
        bytes.subarray(start, start + length),
    );
    return { ...new DictReader(text, source).read(), dataStart: start + length };
}

/** Writes a header of version 1, padded so that elements begin at a multiple of 64 bytes, as NumPy does. */
export function npyHeader(descr: string, shape: readonly number[]): Uint8Array {
    const sizes = shape.length === 1 ? `${String(shape[0])},` : shape.join(', ');
    const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${sizes}), }`;
    const total = Math.ceil((10 + text.length + 1) / 64) * 64;
    const bytes = new Uint8Array(total).fill(0x20);
    bytes.set(MAGIC);
    bytes.set([1, 0], 6);
    new DataView(bytes.buffer).setUint16(8, total - 10, true);
    bytes.set(new TextEncoder().encode(text), 10);
    bytes[total - 1] = 0x0a;
    return bytes;
}

/** Reads the one shape of Python literal that a header may be; nothing nests, so nothing recurses. */
class DictReader {
    private position = 0;

    constructor(
        private readonly text: string,
        private readonly source: string,
    ) {}

    read(): Omit<NpyHeader, 'dataStart'> {
        let descr: string | undefined;
        let isFortran: boolean | undefined;
        let shape: number[] | undefined;
        this.expect('{');
        while (!this.accept('}')) {
            const key = this.string();
            this.expect(':');
            if (key === 'descr' && descr === undefined) descr = this.descr();
            else if (key === 'fortran_order' && isFortran === undefined) isFortran = this.flag();
            else if (key === 'shape' && shape === undefined) shape = this.sizes();
            else this.fail(`each of the keys descr, fortran_order and shape once, not ${quote(key)}`);
            if (this.accept(',')) continue;
            this.expect('}');
            break;
        }
        if (this.match(/\s*/y) === undefined || this.position < this.text.length) this.fail('its end');
        if (descr === undefined || isFortran === undefined || shape === undefined)
            return this.fail('the keys descr, fortran_order and shape');
        return { descr, isFortran, shape };
    }

    private descr(): string {
        if (/^\s*[[(]/.test(this.text.slice(this.position)))
            throw new NpyError(
                this.source,
                "holds records of several fields (a structured dtype), expected one dtype; save each field: np.savez(path, x=a['x'])",
            );
        return this.string();
    }

    private string(): string {
        const found = this.match(/\s*('[^'\\\n]*'|"[^"\\\n]*")/y);
        return found === undefined ? this.fail('a string') : found.trim().slice(1, -1);
    }

    private flag(): boolean {
        const found = this.match(/\s*(True|False)/y);
        return found === undefined ? this.fail('True or False') : found.trim() === 'True';
    }

    private sizes(): number[] {
        const sizes: number[] = [];
        this.expect('(');
        while (!this.accept(')')) {
            // Python 2 wrote long integers with an L.
            const digits = this.match(/\s*\d+L?/y)
                ?.trim()
                .replace('L', '');
            const size = Number(digits);
            if (digits === undefined || /^0\d/.test(digits) || !Number.isSafeInteger(size))
                return this.fail('a size');
            sizes.push(size);
            if (sizes.length > MAX_RANK) return this.fail(`at most ${MAX_RANK} sizes`);
            if (this.accept(',')) continue;
            if (sizes.length === 1) return this.fail('a comma behind the only size');
            this.expect(')');
            break;
        }
        return sizes;
    }

    private match(pattern: RegExp): string | undefined {
        pattern.lastIndex = this.position;
        const found = pattern.exec(this.text)?.[0];
        if (found !== undefined) this.position += found.length;
        return found;
    }

    private accept(character: string): boolean {
        const space = /\s*/y;
        space.lastIndex = this.position;
        const at = this.position + (space.exec(this.text)?.[0].length ?? 0);
        if (this.text[at] !== character) return false;
        this.position = at + 1;
        return true;
    }

    private expect(character: string): void {
        if (!this.accept(character)) this.fail(quote(character));
    }

    private fail(expected: string): never {
        const got = quote(this.text.slice(this.position, this.position + 16));
        const place = `character ${this.position} of the header`;
        throw new NpyError(this.source, `damaged header: expected ${expected} at ${place}, got ${got}`);
    }
}

function quote(text: string): string {
    return JSON.stringify(text.slice(0, 40));
}
