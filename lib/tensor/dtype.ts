import { describeValue } from '../support/describe_value.js';

/** Element types, in the order of the native side. */
export const dtypes = [
    'float32',
    'float64',
    'float16',
    'bfloat16',
    'int64',
    'int32',
    'uint8',
    'bool',
] as const;

/** Name of an element type. */
export type DType = (typeof dtypes)[number];

const codes = new Map<string, number>(dtypes.map((name, code) => [name, code]));
const itemSizes: Record<DType, number> = {
    float32: 4,
    float64: 8,
    float16: 2,
    bfloat16: 2,
    int64: 8,
    int32: 4,
    uint8: 1,
    bool: 1,
};

/** Bytes of one element. */
export function itemSize(dtype: DType): number {
    return itemSizes[dtype];
}

/** Throws where `dtype` is no name of a dtype; `op` begins the message. */
export function requireDtype(op: string, dtype: unknown): asserts dtype is DType {
    if (!dtypes.some((name) => name === dtype))
        throw new TypeError(
            `[${op}] unknown dtype ${typeof dtype === 'string' ? `'${dtype}'` : describeValue(dtype)}; expected one of ${dtypes.join(', ')}`,
        );
}

const integerRanges: Partial<Record<DType, readonly [least: number, most: number]>> = {
    int64: [-(2 ** 63), 2 ** 63 - 1024],
    int32: [-(2 ** 31), 2 ** 31 - 1],
    // As in PyTorch, negative integers count from the end of the unsigned range.
    uint8: [-255, 255],
};

/** Throws where a number, without its fraction, is none that an integer dtype holds; floats and bool take any. */
export function requireRange(op: string, value: number, dtype: DType): void {
    const range = integerRanges[dtype];
    if (!range) return;
    const [least, most] = range;
    const whole = Math.trunc(value);
    if (whole >= least && whole <= most) return;
    const hint = Number.isNaN(value) ? 'use a float dtype for NaN' : 'take a wider dtype, or clamp it';
    throw new RangeError(`[${op}] ${value} does not fit into ${dtype}; ${hint}`);
}

export function dtypeCode(dtype: DType): number {
    const code = codes.get(dtype);
    if (code === undefined) {
        throw new TypeError(`unknown dtype '${dtype}'; expected one of ${dtypes.join(', ')}`);
    }
    return code;
}

export function isFloat(dtype: DType): boolean {
    return dtypeCode(dtype) <= 3;
}

/**
 * The dtype in which two tensors meet, by PyTorch's table: the higher category (bool < integer < float) wins; within
 * floats the wider, and float16 with bfloat16 meet in float32; within integers the wider.
 */
export function promote(a: DType, b: DType): DType {
    if (a === b) return a;
    const [floatA, floatB] = [isFloat(a), isFloat(b)];
    if (floatA && !floatB) return a;
    if (floatB && !floatA) return b;
    if (floatA) {
        if (a === 'float64' || b === 'float64') return 'float64';
        return 'float32';
    }
    // bool < uint8 < int32 < int64: the order of the list, backwards.
    return dtypeCode(a) < dtypeCode(b) ? a : b;
}

/** Category of a dtype in promotion with 0-d tensors and numbers: only a higher category changes the other side. */
export function category(dtype: DType): 0 | 1 | 2 {
    if (dtype === 'bool') return 0;
    return isFloat(dtype) ? 2 : 1;
}
