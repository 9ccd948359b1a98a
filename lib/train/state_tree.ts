import { Tensor } from '../tensor/tensor.js';

/** What a state may hold: JSON, numbers that JSON does not know, lists, plain objects, maps by text, tensors. */
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
    const prototype: unknown = typeof value === 'object' ? Object.getPrototypeOf(value) : undefined;
    if (prototype !== Object.prototype && prototype !== null)
        throw new TypeError(
            `[checkpoint] a state holds ${typeof value} at '${path}'; give numbers, texts, lists, plain objects, Maps and tensors`,
        );
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inner(item, key)]));
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
    if (Array.isArray(node.$map)) {
        const pairs = node.$map as readonly (readonly [string, unknown])[];
        return new Map(pairs.map(([key, item]) => [key, unpackTree(item, tensors)]));
    }
    return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, unpackTree(item, tensors)]));
}
