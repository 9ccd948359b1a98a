import { byteLengthOf, STORED_DTYPES } from './safetensors_dtype.js';
import type { StoredDType } from './safetensors_dtype.js';
import { SafetensorsError } from './safetensors_error.js';
import { MAX_HEADER_BYTES, PREFIX_BYTES, readHeader, readHeaderLength } from './safetensors_header.js';
import { isWellFormed, tensorPlace } from './safetensors_json.js';

export { SafetensorsError } from './safetensors_error.js';
export type { SafetensorsErrorCode } from './safetensors_error.js';
export type { StoredDType } from './safetensors_dtype.js';

/** One stored tensor: little-endian bytes in row-major order. */
export interface SafetensorsEntry {
    readonly name: string;
    readonly dtype: StoredDType;
    readonly shape: readonly number[];
    readonly data: Uint8Array;
}

export interface SafetensorsContent {
    readonly entries: readonly SafetensorsEntry[];
    readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Reads safetensors bytes, strictly: the rules of the reference reader (github.com/huggingface/safetensors), and in
 * addition no duplicate key, no unknown field, and only 0 and 1 in bool data.
 *
 * The entries' `data` are views of `bytes`, in the order of the file, not copies.
 *
 * @throws {SafetensorsError} naming the rule that is broken and the place.
 * @example
 * ```ts
 * import { decodeSafetensors, encodeSafetensors } from 'nativegrad';
 * const data = new Uint8Array(new Float32Array([1, 2]).buffer);
 * const bytes = encodeSafetensors([{ name: 'w', dtype: 'float32', shape: [2], data }], { version: '1' });
 * const { entries, metadata } = decodeSafetensors(bytes);
 * console.log(entries[0]?.name, metadata.get('version')); // w 1
 * ```
 */
export function decodeSafetensors(bytes: Uint8Array): SafetensorsContent {
    const headerBytes = readHeaderLength(bytes.subarray(0, PREFIX_BYTES), bytes.length);
    const dataStart = PREFIX_BYTES + headerBytes;
    const header = readHeader(bytes.subarray(PREFIX_BYTES, dataStart), bytes.length - dataStart);
    const entries = header.places.map(({ name, dtype, shape, begin, end }) => {
        const data = bytes.subarray(dataStart + begin, dataStart + end);
        if (dtype === 'bool') checkBoolBytes(name, data);
        return { name, dtype, shape, data };
    });
    return { entries, metadata: header.metadata };
}

/**
 * Writes safetensors bytes as the reference writer does: tensors by descending dtype rank, then by name; compact JSON
 * header, `__metadata__` first, padded by spaces to a multiple of 8 bytes.
 *
 * @throws {SafetensorsError} where an entry's data do not fit its shape, a name appears twice or is no valid Unicode.
 */
export function encodeSafetensors(
    entries: readonly SafetensorsEntry[],
    metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
    const chunks = safetensorsChunks(entries, metadata);
    const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let position = 0;
    for (const chunk of chunks) {
        bytes.set(chunk, position);
        position += chunk.length;
    }
    return bytes;
}

/** The pieces of a file in their order: the header with its length, then each tensor's own bytes, not copied. */
export function safetensorsChunks(
    entries: readonly SafetensorsEntry[],
    metadata: Readonly<Record<string, string>>,
): Uint8Array[] {
    const sorted = sortEntries(entries);
    sorted.forEach(checkWritable);
    const fields: string[] = [];
    const metadataText = metadataJson(metadata);
    if (metadataText !== undefined) fields.push(`"__metadata__":${metadataText}`);
    let position = 0;
    for (const entry of sorted) {
        const end = position + entry.data.length;
        const info = {
            dtype: STORED_DTYPES[entry.dtype].tag,
            shape: entry.shape,
            data_offsets: [position, end],
        };
        fields.push(`${JSON.stringify(entry.name)}:${JSON.stringify(info)}`);
        position = end;
    }
    return [headerChunk(`{${fields.join(',')}}`), ...sorted.map((entry) => entry.data)];
}

function headerChunk(json: string): Uint8Array {
    const text = new TextEncoder().encode(json);
    const padded = Math.ceil(text.length / 8) * 8;
    if (padded > MAX_HEADER_BYTES) {
        throw new SafetensorsError(
            'header-too-large',
            'header',
            `${padded} bytes, the limit is ${MAX_HEADER_BYTES}`,
        );
    }
    const chunk = new Uint8Array(PREFIX_BYTES + padded).fill(0x20);
    new DataView(chunk.buffer).setBigUint64(0, BigInt(padded), true);
    chunk.set(text, PREFIX_BYTES);
    return chunk;
}

function sortEntries(entries: readonly SafetensorsEntry[]): SafetensorsEntry[] {
    const names = new Set<string>();
    for (const { name, dtype } of entries) {
        if (names.has(name)) throw new SafetensorsError('duplicate-key', tensorPlace(name), 'is given twice');
        if (!Object.hasOwn(STORED_DTYPES, dtype)) {
            throw new SafetensorsError(
                'dtype',
                tensorPlace(name),
                `dtype ${JSON.stringify(dtype)} cannot be stored`,
            );
        }
        names.add(name);
    }
    const rank = (entry: SafetensorsEntry): number => STORED_DTYPES[entry.dtype].rank;
    return [...entries].sort(
        (a, b) => rank(b) - rank(a) || Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)),
    );
}

function checkWritable({ name, dtype, shape, data }: SafetensorsEntry): void {
    const where = tensorPlace(name);
    if (name === '__metadata__') {
        throw new SafetensorsError('argument', where, 'this name is reserved by the format');
    }
    if (!isWellFormed(name)) throw new SafetensorsError('argument', where, 'the name is no valid Unicode');
    const badSize = shape.find((size) => !Number.isSafeInteger(size) || size < 0);
    const size = badSize === undefined ? byteLengthOf(dtype, shape) : undefined;
    if (size === undefined) {
        throw new SafetensorsError(
            'shape',
            where,
            `shape [${shape.join(', ')}] is not a list of sizes whose product fits`,
        );
    }
    if (data.length !== size) {
        const detail = `${dtype} [${shape.join(', ')}] needs ${size} bytes, got ${data.length}`;
        throw new SafetensorsError('size-mismatch', where, detail);
    }
    if (dtype === 'bool') checkBoolBytes(name, data);
}

function metadataJson(metadata: Readonly<Record<string, string>>): string | undefined {
    const keys = Object.keys(metadata).sort();
    if (keys.length === 0) return undefined;
    const pairs = keys.map((key) => {
        const value: unknown = metadata[key];
        if (typeof value !== 'string') {
            throw new SafetensorsError(
                'metadata',
                '__metadata__',
                `value of ${JSON.stringify(key)} must be a string`,
            );
        }
        if (!isWellFormed(key) || !isWellFormed(value)) {
            throw new SafetensorsError(
                'metadata',
                '__metadata__',
                `${JSON.stringify(key)} is no valid Unicode`,
            );
        }
        return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
    });
    return `{${pairs.join(',')}}`;
}

/** A bool of any other byte would be true to one kernel and false to another. */
export function checkBoolBytes(name: string, data: Uint8Array): void {
    const index = data.findIndex((byte) => byte > 1);
    if (index >= 0) {
        const detail = `bool element ${index} is stored as ${data[index]}, expected 0 or 1`;
        throw new SafetensorsError('bool-value', tensorPlace(name), detail);
    }
}
