import { DataFileError } from './data_file_error.js';
import { readDataFile } from './read_data_file.js';

export type IdxDType = 'uint8' | 'int8' | 'int16' | 'int32' | 'float32' | 'float64';
export type IdxValues = Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;

/** The content of an IDX file: `data` in row-major order, its length the product of `shape`. */
export interface IdxArray {
    readonly dtype: IdxDType;
    readonly shape: readonly number[];
    readonly data: IdxValues;
}

interface IdxFormat {
    readonly dtype: IdxDType;
    readonly itemSize: number;
    /** Reads `count` big-endian elements behind byte `start`. */
    readonly read: (view: DataView, start: number, count: number) => IdxValues;
}

const FORMATS: ReadonlyMap<number, IdxFormat> = new Map<number, IdxFormat>([
    [0x08, { dtype: 'uint8', itemSize: 1, read: readUint8 }],
    [0x09, { dtype: 'int8', itemSize: 1, read: readInt8 }],
    [0x0b, { dtype: 'int16', itemSize: 2, read: readInt16 }],
    [0x0c, { dtype: 'int32', itemSize: 4, read: readInt32 }],
    [0x0d, { dtype: 'float32', itemSize: 4, read: readFloat32 }],
    [0x0e, { dtype: 'float64', itemSize: 8, read: readFloat64 }],
]);

const MAGIC_BYTES = 4;

/**
 * Reads the bytes of an (unpacked) IDX file, the format of MNIST: two zero bytes, a type byte, the number of axes, each
 * axis as a big-endian unsigned 32-bit integer, then the elements, big-endian. The payload must have exactly the length
 * that the axes announce; that is checked before anything is allocated.
 *
 * @param source - what the bytes are called in errors, usually the path.
 * @throws {DataFileError} where the bytes are no IDX file, end early, or go on behind the last element.
 * @example
 * ```ts
 * import { data } from 'nativegrad';
 * const { shape } = data.decodeIdx(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 7, 9), 'example');
 * console.log(shape); // [2]
 * ```
 */
export function decodeIdx(bytes: Uint8Array, source: string): IdxArray {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const { format, rank } = readMagic(view, source);
    const start = MAGIC_BYTES + 4 * rank;
    if (bytes.length < start) {
        throw new DataFileError(
            source,
            `cut short: ${rank} axes need a header of ${start} bytes, the file has ${bytes.length}`,
        );
    }
    const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(MAGIC_BYTES + 4 * axis));
    const count = elementCount(shape, source);
    const expected = count * format.itemSize;
    const actual = bytes.length - start;
    if (actual !== expected) {
        const problem = actual < expected ? 'cut short' : 'bytes left over';
        const detail = `${format.dtype} [${shape.join(', ')}] needs ${expected} bytes behind the header, the file has ${actual}`;
        throw new DataFileError(source, `${problem}: ${detail}`);
    }
    return { dtype: format.dtype, shape, data: format.read(view, start, count) };
}

/**
 * Reads an IDX file, plain or gzip (told by its first bytes, not by its name).
 *
 * @param options - `maxBytes`: the most bytes the unpacked file may have (default 1 GiB), so that a small gzip file
 * cannot fill the memory.
 * @throws {DataFileError} naming the file.
 */
export async function readIdxFile(path: string, options: { maxBytes?: number } = {}): Promise<IdxArray> {
    return decodeIdx(await readDataFile(path, options.maxBytes), path);
}

function readMagic(view: DataView, source: string): { format: IdxFormat; rank: number } {
    if (view.byteLength < MAGIC_BYTES) {
        throw new DataFileError(
            source,
            `no IDX file: ${view.byteLength} bytes, the magic number alone has 4`,
        );
    }
    const format = FORMATS.get(view.getUint8(2));
    const rank = view.getUint8(3);
    if (view.getUint16(0) !== 0 || format === undefined || rank === 0) {
        const magic = view.getUint32(0).toString(16).padStart(8, '0');
        throw new DataFileError(
            source,
            `no IDX file: it starts with 0x${magic}, expected 0x0000 and a type and an axis byte`,
        );
    }
    return { format, rank };
}

function elementCount(shape: readonly number[], source: string): number {
    let count = 1;
    for (const size of shape) {
        count *= size;
        if (count > Number.MAX_SAFE_INTEGER / 8) {
            throw new DataFileError(source, `damaged header: the axes [${shape.join(', ')}] overflow`);
        }
    }
    return count;
}

function readUint8(view: DataView, start: number, count: number): Uint8Array {
    return new Uint8Array(view.buffer, view.byteOffset + start, count).slice();
}

function readInt8(view: DataView, start: number, count: number): Int8Array {
    return new Int8Array(view.buffer, view.byteOffset + start, count).slice();
}

function readInt16(view: DataView, start: number, count: number): Int16Array {
    return Int16Array.from({ length: count }, (_, i) => view.getInt16(start + 2 * i));
}

function readInt32(view: DataView, start: number, count: number): Int32Array {
    return Int32Array.from({ length: count }, (_, i) => view.getInt32(start + 4 * i));
}

function readFloat32(view: DataView, start: number, count: number): Float32Array {
    return Float32Array.from({ length: count }, (_, i) => view.getFloat32(start + 4 * i));
}

function readFloat64(view: DataView, start: number, count: number): Float64Array {
    return Float64Array.from({ length: count }, (_, i) => view.getFloat64(start + 8 * i));
}
