import { NpyError } from './npy_error.js';
import { npyHeader, readNpyHeader } from './npy_header.js';
import type { StoredDType } from './safetensors_dtype.js';

/** One array: little-endian bytes in row-major order. */
export interface NpyArray {
    readonly dtype: StoredDType;
    readonly shape: readonly number[];
    readonly data: Uint8Array;
}

/** A 0-d array of Unicode text, which is no tensor. */
export interface NpyText {
    readonly text: string;
}

const KINDS: readonly (readonly [dtype: StoredDType, kind: string, itemSize: number])[] = [
    ['float32', 'f4', 4],
    ['float64', 'f8', 8],
    ['float16', 'f2', 2],
    ['int64', 'i8', 8],
    ['int32', 'i4', 4],
    ['uint8', 'u1', 1],
    ['bool', 'b1', 1],
];

/** What to do about a dtype of NumPy's that no tensor has. */
const FIXES: readonly (readonly [RegExp, string])[] = [
    [
        /^[|<>=]?O/,
        'holds Python objects (dtype object), which are stored as a pickle: reading one may run any code, so it is refused; ' +
            'save plain arrays in Python: np.save(path, np.array(values, dtype=np.float32)), or np.savez(path, **arrays_by_name)',
    ],
    [/^[|<>]?V2$/, "holds 2-byte void, as ml_dtypes' bfloat16 is saved; save it with .astype(np.float32)"],
    [/^[|<>]?(i1|i2|u2)$/, 'save it with .astype(np.int32)'],
    [/^[|<>]?(u4|u8)$/, 'save it with .astype(np.int64)'],
    [/^[|<>]?f(12|16)$/, 'save it with .astype(np.float64)'],
    [/^[|<>]?c/, 'save real and imaginary part apart: np.savez(path, re=a.real, im=a.imag)'],
];

/**
 * Reads the bytes of a .npy file: little or big endian, C or Fortran order, versions 1 to 3. Lengths are checked before anything is
 * allocated; a pickle is never looked at. `source` names the bytes in errors.
 *
 * @throws {NpyError} saying what is wrong, and how to save it so that it can be read.
 */
export function decodeNpy(bytes: Uint8Array, source: string): NpyArray | NpyText {
    const { descr, isFortran, shape, dataStart } = readNpyHeader(bytes, source);
    const letters = /^([<>])U(\d{1,9})$/.exec(descr);
    const [, order = '|', kind = ''] = /^([<>|=])([a-z]\d+)$/.exec(descr) ?? [];
    const [dtype, , itemSize] = KINDS.find(([, own]) => own === kind) ?? [];
    const isText = letters !== null && shape.length === 0;
    const size = isText ? 4 * Number(letters[2]) : itemSize;
    if (size === undefined || (!isText && order === '|' && size > 1))
        throw new NpyError(source, strange(descr));
    const count = shape.reduce((product, length) => product * length, 1);
    const [expected, actual] = [count * size, bytes.length - dataStart];
    if (!Number.isSafeInteger(expected))
        throw new NpyError(source, `damaged header: the shape (${shape.join(', ')}) overflows`);
    if (expected !== actual) {
        const problem = actual < expected ? 'is cut short' : 'has bytes left over behind its array';
        throw new NpyError(
            source,
            `${problem}: ${descr} (${shape.join(', ')}) needs ${expected}, it has ${actual}`,
        );
    }
    // A copy also where `bytes` is a Buffer, whose slice would be a view.
    const data = new Uint8Array(bytes.subarray(dataStart));
    if ((letters?.[1] ?? order) === '>') swapBytes(data, isText ? 4 : size);
    if (isText || dtype === undefined) return { text: textOf(data, source) };
    if (dtype === 'bool' && data.some((byte) => byte > 1))
        throw new NpyError(source, 'holds a bool that is neither 0 nor 1; save it with (a != 0)');
    return { dtype, shape, data: isFortran && shape.length > 1 ? fromFortran(data, shape, size) : data };
}

/**
 * The bytes of a .npy file, as np.save writes them.
 *
 * @throws {NpyError} for bfloat16, which NumPy lacks.
 */
export function encodeNpy({ dtype, shape, data }: NpyArray, source: string): Uint8Array[] {
    const [, kind, size] = KINDS.find(([own]) => own === dtype) ?? [];
    if (kind === undefined || size === undefined)
        throw new NpyError(
            source,
            `NumPy has no ${dtype}; save x.to('float32'), or keep ${dtype} with saveTensors in a safetensors file`,
        );
    return [npyHeader((size === 1 ? '|' : '<') + kind, shape), data];
}

/** A 0-d array of text, as np.save(path, np.array(text)) writes it. */
export function encodeNpyText(text: string): Uint8Array[] {
    const points = Array.from(text, (letter) => letter.codePointAt(0) ?? 0);
    const data = new Uint8Array(4 * points.length);
    const view = new DataView(data.buffer);
    points.forEach((point, i) => view.setUint32(4 * i, point, true));
    return [npyHeader(`<U${points.length}`, []), data];
}

function strange(descr: string): string {
    const fix = FIXES.find(([pattern]) => pattern.test(descr))?.[1];
    if (fix?.startsWith('holds')) return fix;
    const names = KINDS.map(([dtype]) => dtype).join(', ');
    return `has dtype ${JSON.stringify(descr.slice(0, 40))}, expected one of ${names}${fix ? `; ${fix}` : ''}`;
}

function textOf(data: Uint8Array, source: string): string {
    const view = new DataView(data.buffer);
    const points = Array.from({ length: data.length / 4 }, (_, i) => view.getUint32(4 * i, true));
    if (points.some((point) => point > 0x10ffff || (point >= 0xd800 && point < 0xe000)))
        throw new NpyError(source, 'holds text that is no Unicode');
    // NumPy fills up with zeros behind the text.
    return points
        .map((point) => String.fromCodePoint(point))
        .join('')
        .replace(/\0+$/, '');
}

function swapBytes(data: Uint8Array, size: number): void {
    const buffer = Buffer.from(data.buffer, data.byteOffset, data.length);
    if (size === 2) buffer.swap16();
    else if (size === 4) buffer.swap32();
    else if (size === 8) buffer.swap64();
}

/** The same array with the last axis fastest, where the first one was. */
function fromFortran(data: Uint8Array, shape: readonly number[], size: number): Uint8Array {
    const result = new Uint8Array(data.length);
    const place = shape.map(() => 0);
    const steps: number[] = [];
    shape.reduce((step, length) => (steps.push(step), step * length), size);
    for (let to = 0, from = 0; to < data.length; to += size) {
        for (let byte = 0; byte < size; byte++) result[to + byte] = data[from + byte] ?? 0;
        for (let axis = shape.length - 1; axis >= 0; axis--) {
            place[axis] = (place[axis] ?? 0) + 1;
            from += steps[axis] ?? 0;
            if ((place[axis] ?? 0) < (shape[axis] ?? 0)) break;
            from -= (steps[axis] ?? 0) * (shape[axis] ?? 0);
            place[axis] = 0;
        }
    }
    return result;
}
