import { fileKind, KIND_BYTES } from '../file_kind.js';
import { byteLengthOf, type StoredDType } from '../safetensors_dtype.js';
import { OnnxError } from './onnx_error.js';
import { ONNX_DTYPES, type OnnxTensor } from './onnx_model.js';
import type { Wire } from './wire.js';

/** What is read back of an ONNX file. */
export interface OnnxContent {
    readonly metadata: ReadonlyMap<string, string>;
    readonly initializers: ReadonlyMap<string, OnnxTensor>;
}

/** Far above any model: small entries of a large file would take many times its size. */
const maxEntries = 100_000;

/** Messages inside each other, as far as they are read: model, graph, initializer. */
type ReadField = (field: number, reader: InstanceType<Wire['BinaryReader']>) => boolean;

/**
 * Reads one message; `read` takes the fields it knows and leaves the others, which are skipped. ONNX has no groups, and those of others
 * could lie inside each other without end.
 */
function readMessage({ BinaryReader, WireType }: Wire, bytes: Uint8Array, read: ReadField): void {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
        const [field, type] = reader.tag();
        if (type === WireType.StartGroup || type === WireType.EndGroup)
            throw new Error(`field ${field} is a group, which ONNX does not have`);
        const start = reader.pos;
        if (read(field, reader)) continue;
        reader.pos = start;
        reader.skip(type);
    }
}

function readMetadata(wire: Wire, bytes: Uint8Array): readonly [string, string] {
    let [key, value] = ['', ''];
    readMessage(wire, bytes, (field, reader) => {
        if (field === 1) key = reader.string(true);
        else if (field === 2) value = reader.string(true);
        return field <= 2;
    });
    return [key, value];
}

const dtypeOf = (code: number): StoredDType | undefined =>
    (Object.keys(ONNX_DTYPES) as StoredDType[]).find((dtype) => ONNX_DTYPES[dtype] === code);

/** Only raw bytes, as this library writes them. */
function readTensor(wire: Wire, bytes: Uint8Array): OnnxTensor {
    const shape: number[] = [];
    let [name, code, data] = ['', 0, new Uint8Array()];
    readMessage(wire, bytes, (field, reader) => {
        if (field === 1) {
            shape.push(Number(reader.int64()));
            if (shape.length > 8) throw new Error('an initializer has more than 8 dimensions');
        } else if (field === 2) code = reader.int32();
        else if (field === 8) name = reader.string(true);
        else if (field === 9) data = new Uint8Array(reader.bytes());
        return field === 1 || field === 2 || field === 8 || field === 9;
    });
    const place = `initializer ${JSON.stringify(name.slice(0, 80))}`;
    const dtype = dtypeOf(code);
    if (dtype === undefined) throw new Error(`${place} has the unknown data type ${code}`);
    if (shape.some((size) => !Number.isSafeInteger(size) || size < 0))
        throw new Error(`${place} has the impossible shape (${shape.join(', ')})`);
    const expected = byteLengthOf(dtype, shape);
    if (expected !== data.length)
        throw new Error(
            `${place}, ${dtype} (${shape.join(', ')}), has ${data.length} bytes in its raw_data, expected ${expected ?? 'fewer than 2^53'}`,
        );
    return { name, dtype, shape, data };
}

function readGraph(wire: Wire, bytes: Uint8Array, initializers: Map<string, OnnxTensor>): void {
    readMessage(wire, bytes, (field, reader) => {
        if (field !== 5) return false;
        const tensor = readTensor(wire, reader.bytes());
        if (initializers.has(tensor.name))
            throw new Error(`initializer ${JSON.stringify(tensor.name.slice(0, 80))} stands there twice`);
        initializers.set(tensor.name, tensor);
        if (initializers.size > maxEntries) throw new Error(`has more than ${maxEntries} initializers`);
        return true;
    });
}

/**
 * Reads texts and initializers of an ONNX file, as coming from anyone: nothing is run, lengths are checked against the file, and every
 * failure is a typed error. Operators are not looked at.
 *
 * @throws {OnnxError} naming the file and what is wrong.
 */
export function decodeOnnx(bytes: Uint8Array, source: string, wire: Wire): OnnxContent {
    if (bytes.length === 0) throw new OnnxError(`${source}: is empty, expected an ONNX file`);
    const metadata = new Map<string, string>();
    const initializers = new Map<string, OnnxTensor>();
    try {
        readMessage(wire, bytes, (field, reader) => {
            if (field === 7) readGraph(wire, reader.bytes(), initializers);
            else if (field === 14) {
                const [key, value] = readMetadata(wire, reader.bytes());
                if (metadata.has(key))
                    throw new Error(`metadata ${JSON.stringify(key.slice(0, 80))} stands there twice`);
                metadata.set(key, value);
                if (metadata.size > maxEntries) throw new Error(`has more than ${maxEntries} texts`);
            }
            return field === 7 || field === 14;
        });
    } catch (cause) {
        const kind = fileKind(bytes.subarray(0, KIND_BYTES));
        const text = cause instanceof Error ? cause.message : String(cause);
        const detail = kind ? `is ${kind.name}, expected an ONNX file` : `damaged, or no ONNX file: ${text}`;
        throw new OnnxError(`${source}: ${detail}`, { cause });
    }
    return { metadata, initializers };
}
