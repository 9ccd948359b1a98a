import type { DType, Operand, Tensor } from '../../../lib/index.js';
import type { NdArray, OpSample, Values } from '../sample.js';

export const floats: readonly DType[] = ['float64', 'float32', 'float16', 'bfloat16'];
export const numbers: readonly DType[] = [...floats, 'int64', 'int32', 'uint8'];
export const all: readonly DType[] = [...numbers, 'bool'];

/** f of every element. */
export const each =
    (f: (x: number) => number) =>
    ({ shape, data }: NdArray): NdArray => ({ shape, data: data.map((x) => f(x)) });

function sizesOf(arrays: readonly NdArray[]): number[] {
    const rank = Math.max(...arrays.map(({ shape }) => shape.length));
    return Array.from({ length: rank }, (_, axis) => {
        const sizes = arrays.map(({ shape }) => shape[axis - rank + shape.length] ?? 1);
        return sizes.find((size) => size !== 1) ?? 1;
    });
}

/** The element of `array` that NumPy's broadcasting puts at an index of the result. */
function at({ shape, data }: NdArray, index: readonly number[]): number {
    let offset = 0;
    shape.forEach((size, axis) => {
        const position = index[axis + index.length - shape.length] ?? 0;
        offset = offset * size + (size === 1 ? 0 : position);
    });
    return data[offset] ?? NaN;
}

/** f of the elements that broadcasting brings together. */
export const together =
    (f: (...elements: number[]) => number) =>
    (...arrays: NdArray[]): NdArray => {
        const shape = sizesOf(arrays);
        const size = shape.reduce((product, length) => product * length, 1);
        const data = new Float64Array(size);
        const index = shape.map(() => 0);
        for (let i = 0; i < size; i++) {
            data[i] = f(...arrays.map((array) => at(array, index)));
            for (let axis = shape.length - 1; axis >= 0; axis--) {
                index[axis] = (index[axis] ?? 0) + 1;
                if (index[axis] < (shape[axis] ?? 0)) break;
                index[axis] = 0;
            }
        }
        return { shape, data };
    };

const special = [
    NaN,
    Infinity,
    -Infinity,
    0,
    -0,
    1e-40,
    -1e-40,
    1e-30,
    3e38,
    -3e38,
    1,
    -1,
    0.5,
    -0.5,
    2.5,
    -2.5,
];
const steep = [
    88.5, 88.9, -87.5, -104, 710, -746, 12345.678, -98765.4, 1e8, 1e16, 0.1, -0.1, 1e-4, -1e-4, 1.5, 17,
];

/** NaN, infinities, signed zeros, subnormal, huge and steep arguments; 37 elements leave a tail in every vector width. */
export const specialValues: readonly number[] = [...special, ...steep, 20.5, -20.5, 3, -3, 100];

export interface UnaryOptions {
    readonly values?: Values;
    readonly dtypes?: readonly DType[];
    readonly secondOrder?: boolean;
    readonly gradient?: boolean;
    readonly covers?: readonly string[];
    readonly tolerance?: OpSample['tolerance'];
    readonly wrong?: OpSample['wrong'];
    readonly title?: string;
    /** False where float32 cannot follow float64 at the special values. */
    readonly special?: boolean;
}

/** Rows of an elementwise function: plain values, and special ones without gradient. */
export function unaryRows(
    op: string,
    run: (x: Tensor) => Tensor,
    reference: (x: number) => number,
    { values = 'normal', title, special: withSpecial = true, wrong, ...options }: UnaryOptions = {},
): OpSample[] {
    const name = title === undefined ? '' : `${title}, `;
    const plain: OpSample = {
        op,
        title,
        secondOrder: options.gradient !== false,
        ...options,
        inputs: [{ shape: [5, 7], values }],
        run,
        reference: each(reference),
        large: [[130, 257]],
        zeroSizes: [[[0]], [[3, 0]]],
        wrong,
    };
    const edges: OpSample = {
        op,
        title: `${name}special values`,
        inputs: [{ shape: [specialValues.length], values: specialValues }],
        run,
        reference: each(reference),
        dtypes: floats,
        gradient: false,
        tolerance: options.tolerance,
    };
    const scalar: OpSample = {
        ...plain,
        title: `${name}0-d`,
        inputs: [{ shape: [], values }],
        large: undefined,
        zeroSizes: undefined,
        wrong: undefined,
    };
    return withSpecial ? [plain, scalar, edges] : [plain, scalar];
}

export interface BinaryOptions extends UnaryOptions {
    readonly right?: Values;
    /** A number for either side; left out where the op has no sense of one. */
    readonly number?: number;
}

/** Rows of an elementwise function of two operands: equal shapes, broadcasting both ways, 0-d, numbers on either side. */
export function binaryRows(
    op: string,
    run: (a: Operand, b: Operand) => Tensor,
    reference: (a: number, b: number) => number,
    { values = 'normal', right = values, title, number = 1.5, wrong = [], ...options }: BinaryOptions = {},
): OpSample[] {
    const name = title === undefined ? '' : `${title}, `;
    const base: OpSample = {
        op,
        secondOrder: options.gradient !== false,
        ...options,
        title,
        inputs: [
            { shape: [5, 7], values },
            { shape: [5, 7], values: right },
        ],
        run,
        reference: together(reference),
    };
    const shapes = (left: readonly number[], other: readonly number[]): OpSample['inputs'] => [
        { shape: left, values },
        { shape: other, values: right },
    ];
    const numberDtypes = (options.dtypes ?? floats).filter(
        (dtype) => Number.isInteger(number) || floats.includes(dtype),
    );
    return [
        {
            ...base,
            large: [
                [130, 257],
                [130, 257],
            ],
            zeroSizes: [
                [[0], [0]],
                [
                    [3, 0],
                    [3, 1],
                ],
                [[0, 2], []],
            ],
            wrong,
        },
        { ...base, title: `${name}row and column`, inputs: shapes([7], [5, 1]), large: [[257], [130, 1]] },
        { ...base, title: `${name}leading dimensions`, inputs: shapes([2, 1, 3], [4, 1]) },
        { ...base, title: `${name}0-d`, inputs: shapes([], [3]) },
        {
            ...base,
            title: `${name}number on the right`,
            dtypes: numberDtypes,
            inputs: [{ shape: [5, 7], values }],
            run: (a) => run(a, number),
            reference: each((a) => reference(a, number)),
        },
        {
            ...base,
            title: `${name}number on the left`,
            dtypes: numberDtypes,
            inputs: [{ shape: [5, 7], values: right }],
            run: (b) => run(number, b),
            reference: each((b) => reference(number, b)),
        },
    ];
}
