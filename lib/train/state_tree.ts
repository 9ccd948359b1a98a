import { describeValue } from '../support/describe_value.js';
import { Tensor } from '../tensor/tensor.js';

/** What a state may hold: JSON, numbers that JSON does not know, lists, typed arrays, plain objects, maps by text, tensors. */
export type StateTree = unknown;

/** Takes the tensors out of a state: JSON with their names in their places. */
export function packTree(state: StateTree, tensors: Map<string, Tensor>): unknown {
    return pack(state, '', tensors);
}

function pack(value: unknown, path: string, tensors: Map<string, Tensor>): unknown {
    if (value instanceof Tensor) {
        const name = freeName(path, tensors);
        tensors.set(name, value);
        return { $tensor: name };
    }
    if (typeof value === 'number')
        return Number.isFinite(value) && !Object.is(value, -0)
            ? value
            : { $number: Object.is(value, -0) ? '-0' : String(value) };
    if (value === undefined || value === null || typeof value === 'string' || typeof value === 'boolean')
        return value;
    const inner = (item: unknown, key: string): unknown => pack(item, path ? `${path}.${key}` : key, tensors);
    if (Array.isArray(value))
        return value.map((item: unknown, i) => (item === undefined ? null : inner(item, String(i))));
    if (value instanceof Map)
        return { $map: [...value].map(([key, item]) => [String(key), inner(item, String(key))]) };
    if (ArrayBuffer.isView(value)) return packArray(value, path);
    const prototype: unknown = typeof value === 'object' ? Object.getPrototypeOf(value) : undefined;
    if (prototype !== Object.prototype && prototype !== null) throw refusal(value, path);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inner(item, key)]));
}

/** The kinds whose elements are numbers. */
const arrays = new Map(
    [
        Int8Array,
        Uint8Array,
        Uint8ClampedArray,
        Int16Array,
        Uint16Array,
        Int32Array,
        Uint32Array,
        BigInt64Array,
        BigUint64Array,
        Float32Array,
        Float64Array,
    ].map((kind) => [kind.name, kind]),
);

function packArray(array: ArrayBufferView, path: string): unknown {
    const { name } = array.constructor;
    if (!arrays.has(name)) throw refusal(array, path);
    const bytes = Buffer.from(array.buffer, array.byteOffset, array.byteLength);
    return { $array: name, bytes: bytes.toString('base64') };
}

function unpackArray(name: string, text: string): unknown {
    const kind = arrays.get(name);
    if (!kind) throw new Error(`[checkpoint] there are no arrays of kind '${name}'`);
    return new kind(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
}

function refusal(value: unknown, path: string): TypeError {
    return new TypeError(
        `[checkpoint] a state holds ${describeValue(value)} at '${path}'; give numbers, texts, lists, plain objects, Maps, typed arrays and tensors`,
    );
}

function freeName(path: string, tensors: ReadonlyMap<string, Tensor>): string {
    let name = path || 'tensor';
    while (tensors.has(name)) name += '_';
    return name;
}

/** The state from which `packTree` made `json`. */
export function unpackTree(json: unknown, tensors: ReadonlyMap<string, Tensor>): StateTree {
    if (typeof json !== 'object' || json === null) return json;
    if (Array.isArray(json)) return json.map((item: unknown) => unpackTree(item, tensors));
    const node = json as Readonly<Record<string, unknown>>;
    if (typeof node.$number === 'string') return Number(node.$number);
    if (typeof node.$tensor === 'string') {
        const tensor = tensors.get(node.$tensor);
        if (!tensor) throw new Error(`[checkpoint] the tensor '${node.$tensor}' is missing`);
        return tensor;
    }
    if (typeof node.$array === 'string') return unpackArray(node.$array, String(node.bytes));
    if (Array.isArray(node.$map)) {
        const pairs = node.$map as readonly (readonly [string, unknown])[];
        return new Map(pairs.map(([key, item]) => [key, unpackTree(item, tensors)]));
    }
    return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, unpackTree(item, tensors)]));
}
