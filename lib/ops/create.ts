import { describeValue, isPromise } from '../support/describe_value.js';
import { requireDtype, requireRange, type DType } from '../tensor/dtype.js';
import { checkShape, maxRank, shapeText, sizeOf, type Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { fromStorage, type NestedArray } from '../tensor/tensor.js';
import { cast, requireTensor } from './convert.js';
import { makeOn } from './kernels.js';
import { finishLeaf, requireTensorOptions, type TensorOptions } from './leaf.js';

export type { TensorOptions };

/** Flattens nested arrays; throws where rows differ in length. */
function flatten(data: NestedArray): { values: (number | boolean)[]; shape: number[] } {
    const shape: number[] = [];
    for (
        let level: NestedArray | undefined = data;
        Array.isArray(level);
        level = (level as readonly NestedArray[])[0]
    ) {
        shape.push((level as readonly NestedArray[]).length);
        if (shape.length > maxRank) {
            throw new RangeError(
                `[tensor] arrays lie more than ${maxRank} deep, the largest rank; does one hold itself?`,
            );
        }
    }
    const values: (number | boolean)[] = [];
    const collect = (item: NestedArray, depth: number): void => {
        if (Array.isArray(item)) {
            const row = item as readonly NestedArray[];
            if (row.length !== shape[depth]) {
                throw new RangeError(
                    `[tensor] rows differ in length: ${row.length} where ${shape[depth] ?? 'a number'} was expected ` +
                        `at depth ${depth}`,
                );
            }
            for (const child of row) collect(child, depth + 1);
            return;
        }
        if (depth !== shape.length)
            throw new RangeError(`[tensor] a number at depth ${depth} where a row was expected`);
        if (typeof item !== 'number' && typeof item !== 'boolean') {
            throw new TypeError(
                `[tensor] elements must be numbers or booleans, got ${describeValue(item)}` +
                    (typeof item === 'bigint'
                        ? '; pass a BigInt64Array for int64, or Number(value)'
                        : isPromise(item)
                          ? '; is an `await` missing?'
                          : ''),
            );
        }
        values.push(item);
    };
    collect(data, 0);
    return { values, shape };
}

/**
 * A tensor from a number, nested arrays of numbers or booleans, or a typed array (one dimension).
 * Numbers become float32 unless `dtype` says otherwise, booleans bool, typed arrays their own dtype. Integer dtypes take
 * numbers without their fraction; as in PyTorch, one outside the dtype is an error, but for -255 to -1 in uint8, which
 * count from the end. The elements of a typed array are cast as by `to()`, without that check.
 *
 * @throws RangeError for ragged or too deeply nested arrays, and for numbers that an integer dtype cannot hold.
 * @example
 * import { tensor } from 'nativegrad';
 * console.log(tensor([[1, 2], [3, 4]]).shape); // [2, 2]
 */
export function tensor(data: NestedArray | NodeJS.TypedArray, options: TensorOptions = {}): Tensor {
    requireTensorOptions('tensor', options);
    if (ArrayBuffer.isView(data)) return fromTypedArray(data, [data.length], options);
    const { values, shape } = flatten(data);
    checkShape('tensor', shape);
    const implied =
        values.length > 0 && values.every((value) => typeof value === 'boolean') ? 'bool' : 'float32';
    const dtype = options.dtype ?? implied;
    requireDtype('tensor', dtype);
    for (const value of values) requireRange('tensor', Number(value), dtype);
    if (dtype === 'int64') {
        const integers = BigInt64Array.from(values, (value) => BigInt(Math.trunc(Number(value))));
        return finishLeaf(fromStorage(integers, shape, 'int64', options.device), options);
    }
    const wide = fromStorage(Float64Array.from(values, Number), shape, 'float64', options.device);
    if (dtype === 'float64') return finishLeaf(wide, options);
    const result = cast(wide, dtype);
    wide.dispose();
    return finishLeaf(result, options);
}

const arrayDtypes = new Map<unknown, DType>([
    [Float32Array, 'float32'],
    [Float64Array, 'float64'],
    [BigInt64Array, 'int64'],
    [Int32Array, 'int32'],
    [Uint8Array, 'uint8'],
    [Uint8ClampedArray, 'uint8'],
]);

function dtypeOfArray(data: NodeJS.TypedArray): DType {
    for (const [type, dtype] of arrayDtypes)
        if (data.constructor === type || (data instanceof Uint8Array && type === Uint8Array)) return dtype;
    throw new TypeError(
        `[fromTypedArray] ${data.constructor.name} has no dtype; use Float32Array, Float64Array, BigInt64Array, Int32Array or ` +
            'Uint8Array, or Uint16Array with dtype float16 or bfloat16 for raw two-byte floats',
    );
}

/**
 * A tensor with a copy of the elements of a typed array, in row-major order. A Uint16Array with dtype float16 or bfloat16
 * is taken as raw bits; a Uint8Array with dtype bool as truth values.
 *
 * @throws RangeError when the length is not the product of the shape.
 */
export function fromTypedArray(data: NodeJS.TypedArray, shape: Shape, options: TensorOptions = {}): Tensor {
    requireTensorOptions('fromTypedArray', options);
    checkShape('fromTypedArray', shape);
    if (data.length !== sizeOf(shape)) {
        throw new RangeError(
            `[fromTypedArray] ${data.length} elements do not fill shape ${shapeText(shape)}`,
        );
    }
    if (data.buffer instanceof SharedArrayBuffer) {
        throw new TypeError(
            '[fromTypedArray] the array lies in a SharedArrayBuffer, which may change meanwhile; pass a copy',
        );
    }
    if (options.dtype !== undefined && isRawStorage(data, options.dtype)) {
        return finishLeaf(fromStorage(data, shape, options.dtype, options.device), options);
    }
    const own = fromStorage(data, shape, dtypeOfArray(data), options.device);
    if (options.dtype === undefined || options.dtype === own.dtype) return finishLeaf(own, options);
    const result = cast(own, options.dtype);
    own.dispose();
    return finishLeaf(result, options);
}

function isRawStorage(data: NodeJS.TypedArray, dtype: DType): boolean {
    return data instanceof Uint16Array && (dtype === 'float16' || dtype === 'bfloat16');
}

function filled(op: string, shape: Shape, value: number, options: TensorOptions): Tensor {
    requireTensorOptions(op, options);
    checkShape(op, shape);
    requireRange(op, value, options.dtype ?? 'float32');
    return finishLeaf(
        makeOn(options.device, 'fill', shape, options.dtype ?? 'float32', [value], op),
        options,
    );
}

function filledLike(op: string, x: Tensor, value: number, options: TensorOptions): Tensor {
    requireTensor(op, x);
    requireTensorOptions(op, options);
    return filled(op, x.shape, value, { dtype: x.dtype, device: x.device, ...options });
}

/**
 * A tensor of one value.
 *
 * @throws RangeError where an integer dtype cannot hold the value.
 */
export function full(shape: Shape, value: number, options: TensorOptions = {}): Tensor {
    return filled('full', shape, value, options);
}

export function zeros(shape: Shape, options: TensorOptions = {}): Tensor {
    return filled('zeros', shape, 0, options);
}

export function ones(shape: Shape, options: TensorOptions = {}): Tensor {
    return filled('ones', shape, 1, options);
}

export function fullLike(x: Tensor, value: number, options: TensorOptions = {}): Tensor {
    return filledLike('fullLike', x, value, options);
}

export function zerosLike(x: Tensor, options: TensorOptions = {}): Tensor {
    return filledLike('zerosLike', x, 0, options);
}

export function onesLike(x: Tensor, options: TensorOptions = {}): Tensor {
    return filledLike('onesLike', x, 1, options);
}

/**
 * start, start + step, … below `end` (above, for a negative step). `arange(end)` starts at 0.
 * dtype: int64 when all three are integers, else float32, as in PyTorch.
 */
export function arange(start: number, end?: number, step = 1, options: TensorOptions = {}): Tensor {
    requireTensorOptions('arange', options);
    const [from, to] = end === undefined ? [0, start] : [start, end];
    if (![from, to, step].every(Number.isFinite) || step === 0 || (to - from) / step < 0) {
        throw new RangeError(`[arange] no numbers from ${from} to ${to} in steps of ${step}`);
    }
    const count = Math.ceil((to - from) / step);
    const dtype = options.dtype ?? ([from, to, step].every(Number.isInteger) ? 'int64' : 'float32');
    return finishLeaf(makeOn(options.device, 'range', [count], dtype, [from, step], 'arange'), options);
}

/** `count` numbers from `start` to `end`, both included, evenly spaced. */
export function linspace(start: number, end: number, count: number, options: TensorOptions = {}): Tensor {
    requireTensorOptions('linspace', options);
    checkShape('linspace', [count]);
    const step = count > 1 ? (end - start) / (count - 1) : 0;
    // The second half is counted from the end, so that `end` itself is exact.
    const values = Float64Array.from({ length: count }, (_, i) =>
        i < count / 2 ? start + i * step : end - (count - 1 - i) * step,
    );
    return fromTypedArray(values, [count], { dtype: 'float32', ...options });
}

/** Ones on the main diagonal of an [n, m] matrix, zeros elsewhere. */
export function eye(n: number, m = n, options: TensorOptions = {}): Tensor {
    requireTensorOptions('eye', options);
    checkShape('eye', [n, m]);
    const values = new Float64Array(n * m);
    for (let i = 0; i < Math.min(n, m); i++) values[i * m + i] = 1;
    return fromTypedArray(values, [n, m], { dtype: 'float32', ...options });
}
