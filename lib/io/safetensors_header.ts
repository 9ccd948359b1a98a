import { byteLengthOf, dtypeOfTag, storedTags } from './safetensors_dtype.js';
import type { StoredDType } from './safetensors_dtype.js';
import { SafetensorsError } from './safetensors_error.js';
import { HeaderParser, tensorPlace } from './safetensors_json.js';
import type { RawEntry } from './safetensors_json.js';

/** The reference reader's limit; a longer header is an attack or damage. */
export const MAX_HEADER_BYTES = 100_000_000;
/** The file begins with the header's length as an unsigned 64-bit little-endian integer. */
export const PREFIX_BYTES = 8;

/** Where one tensor lies; offsets count from the end of the header. */
export interface TensorPlace {
    readonly name: string;
    readonly dtype: StoredDType;
    readonly shape: readonly number[];
    readonly begin: number;
    readonly end: number;
}

export interface SafetensorsHeader {
    readonly metadata: ReadonlyMap<string, string>;
    /** In the order of their bytes. */
    readonly places: readonly TensorPlace[];
}

/** Reads the first 8 bytes and checks the header's length against the limit and the file. */
export function readHeaderLength(prefix: Uint8Array, fileBytes: number): number {
    if (fileBytes < PREFIX_BYTES || prefix.length < PREFIX_BYTES) {
        throw new SafetensorsError(
            'header-too-small',
            'header',
            `a file has at least 8 bytes, this one ${fileBytes}`,
        );
    }
    const view = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES);
    const length = view.getBigUint64(0, true);
    if (length > BigInt(MAX_HEADER_BYTES)) {
        throw new SafetensorsError(
            'header-too-large',
            'header',
            `${length} bytes announced, the limit is ${MAX_HEADER_BYTES}`,
        );
    }
    if (Number(length) > fileBytes - PREFIX_BYTES) {
        const detail = `${length} bytes announced, but only ${fileBytes - PREFIX_BYTES} follow; the file is cut short`;
        throw new SafetensorsError('header-out-of-file', 'header', detail);
    }
    return Number(length);
}

/**
 * Reads and checks a header: every tensor known, sizes equal to shape times item size, and the data area of `dataBytes`
 * bytes covered once, without hole, overlap or rest.
 */
export function readHeader(bytes: Uint8Array, dataBytes: number): SafetensorsHeader {
    if (bytes[0] !== 0x7b) {
        throw new SafetensorsError(
            'header-start',
            'header',
            'must start with "{"; this is not a safetensors file',
        );
    }
    const raw = new HeaderParser(decodeUtf8(bytes)).parse();
    const places = [...raw.entries].map(([name, entry]) => checkEntry(name, entry, dataBytes));
    places.sort((a, b) => a.begin - b.begin || a.end - b.end);
    checkCoverage(places, dataBytes);
    return { metadata: raw.metadata ?? new Map<string, string>(), places };
}

function decodeUtf8(bytes: Uint8Array): string {
    try {
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (cause) {
        throw new SafetensorsError('header-not-utf8', 'header', 'is not valid UTF-8', { cause });
    }
}

function checkEntry(name: string, entry: RawEntry, dataBytes: number): TensorPlace {
    const where = tensorPlace(name);
    const dtype = dtypeOfTag(entry.dtype);
    if (dtype === undefined) {
        const detail = `dtype ${JSON.stringify(entry.dtype.slice(0, 40))} is not supported; supported: ${storedTags()}`;
        throw new SafetensorsError('dtype', where, detail);
    }
    const [begin, end] = entry.offsets;
    if (begin > end || end > dataBytes) {
        const place = `data_offsets [${begin}, ${end}] do not lie in the ${dataBytes} data bytes of the file`;
        const detail = end > dataBytes ? `${place}; it is cut short or damaged` : place;
        throw new SafetensorsError('offsets', where, detail);
    }
    const size = byteLengthOf(dtype, entry.shape);
    if (size === undefined) {
        throw new SafetensorsError('shape', where, `shape [${entry.shape.join(', ')}] overflows`);
    }
    if (size !== end - begin) {
        const detail = `${dtype} [${entry.shape.join(', ')}] needs ${size} bytes, data_offsets give ${end - begin}`;
        throw new SafetensorsError('size-mismatch', where, detail);
    }
    return { name, dtype, shape: entry.shape, begin, end };
}

function checkCoverage(places: readonly TensorPlace[], dataBytes: number): void {
    let position = 0;
    for (const place of places) {
        if (place.begin !== position) {
            const kind = place.begin < position ? 'overlaps the tensor before it' : 'leaves a hole before it';
            const detail = `${kind}: starts at byte ${place.begin}, expected ${position}`;
            throw new SafetensorsError('layout', tensorPlace(place.name), detail);
        }
        position = place.end;
    }
    if (position !== dataBytes) {
        const detail = `the tensors cover ${position} bytes, the file holds ${dataBytes}; ${dataBytes - position} left over`;
        throw new SafetensorsError('data-length', 'data', detail);
    }
}
