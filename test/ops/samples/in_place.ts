import * as ng from '../../../lib/index.js';
import type { OpSample, Values } from '../sample.js';
import { floats, numbers, together } from './elementwise_rows.js';

type Change = (x: ng.Tensor, other: ng.Tensor) => ng.Tensor;

const away: readonly number[] = [-2.7, 1.4, 0.3, -0.6, 2.2, -1.9, 3.8, 5.1, -4.4, 0.8, -3.3];
const divisors: readonly number[] = [3, -2, 5, -7, 4, 1, -3];

/** The target is a copy of the first input with the input's memory order, so that views are written as well. */
function changed(change: Change): OpSample['run'] {
    return (x, other) => {
        const target = x.clone();
        const result = change(target, other);
        if (result !== target) throw new Error('an in-place op must return its target');
        return result;
    };
}

function binaryRow(
    op: string,
    change: Change,
    reference: (a: number, b: number) => number,
    options: Partial<OpSample> & { right?: Values } = {},
): OpSample {
    const { right = 'normal', ...rest } = options;
    return {
        op,
        inputs: [{ shape: [5, 7] }, { shape: [7], values: right }],
        run: changed(change),
        reference: together(reference),
        gradient: false,
        dtypes: numbers,
        large: [[130, 257], [257]],
        zeroSizes: [[[3, 0], [1]]],
        wrong: [
            {
                call: () => change(ng.ones([3]), ng.ones([2, 3])),
                message: new RegExp(`\\[${op}\\] shape \\[2, 3\\] does not broadcast to \\[3\\]`),
            },
            {
                call: () => change(ng.ones([1]).expand([3]), ng.ones([3])),
                message: new RegExp(`\\[${op}\\] several elements of the tensor share memory`),
            },
            {
                call: () => change(ng.ones([3], { requiresGrad: true }), ng.ones([3])),
                message: new RegExp(`\\[${op}\\] would change, in place.*noGrad`),
            },
            {
                call: () => change(ng.ones([3], { dtype: 'int32' }), ng.ones([3])),
                message: new RegExp(`\\[${op}\\] a result of float32 does not fit into a tensor of int32`),
            },
        ],
        ...rest,
    };
}

type UnaryRow = readonly [
    string,
    (x: ng.Tensor) => ng.Tensor,
    (x: number) => number,
    Values,
    readonly ng.DType[],
];

const unary: readonly UnaryRow[] = [
    ['abs_', (x) => x.abs_(), Math.abs, away, numbers],
    ['neg_', (x) => x.neg_(), (x) => -x, away, numbers],
    ['square_', (x) => x.square_(), (x) => x * x, away, numbers],
    ['floor_', (x) => x.floor_(), Math.floor, away, numbers],
    ['ceil_', (x) => x.ceil_(), Math.ceil, away, numbers],
    ['round_', (x) => x.round_(), (x) => Math.round(x), away, numbers],
    ['relu_', (x) => x.relu_(), (x) => Math.max(x, 0), away, numbers],
    ['exp_', (x) => x.exp_(), Math.exp, 'normal', floats],
    ['log_', (x) => x.log_(), Math.log, 'positive', floats],
    ['sqrt_', (x) => x.sqrt_(), Math.sqrt, 'positive', floats],
    ['rsqrt_', (x) => x.rsqrt_(), (x) => 1 / Math.sqrt(x), 'positive', floats],
    ['reciprocal_', (x) => x.reciprocal_(), (x) => 1 / x, 'positive', floats],
    ['sigmoid_', (x) => x.sigmoid_(), (x) => 1 / (1 + Math.exp(-x)), 'normal', floats],
    ['tanh_', (x) => x.tanh_(), Math.tanh, 'normal', floats],
    ['clamp_', (x) => x.clamp_(-2, 3), (x) => Math.min(3, Math.max(-2, x)), away, numbers],
    ['fill_', (x) => x.fill_(7), () => 7, 'normal', numbers],
    ['zero_', (x) => x.zero_(), () => 0, 'normal', numbers],
];

const floatOnly = (op: string, change: (x: ng.Tensor) => ng.Tensor): OpSample['wrong'] => [
    {
        call: () => change(ng.ones([2], { dtype: 'int32' })),
        message: new RegExp(`\\[${op}\\] a result of float32 does not fit into a tensor of int32`),
    },
];

function unaryRow([op, change, reference, values, dtypes]: UnaryRow): OpSample {
    return {
        op,
        inputs: [{ shape: [5, 7], values }],
        run: changed(change),
        reference: together(reference),
        gradient: false,
        dtypes,
        zeroSizes: [[[3, 0]]],
        ...(dtypes === floats ? { wrong: floatOnly(op, change) } : {}),
    };
}

export const inPlaceSamples: readonly OpSample[] = [
    binaryRow(
        'add_',
        (x, y) => x.add_(y),
        (a, b) => a + b,
    ),
    binaryRow(
        'sub_',
        (x, y) => x.sub_(y),
        (a, b) => a - b,
    ),
    binaryRow(
        'mul_',
        (x, y) => x.mul_(y),
        (a, b) => a * b,
    ),
    binaryRow(
        'div_',
        (x, y) => x.div_(y),
        (a, b) => a / b,
        { right: 'positive', dtypes: floats },
    ),
    binaryRow(
        'floor_divide_',
        (x, y) => x.floorDivide_(y),
        (a, b) => Math.floor(a / b),
        {
            right: divisors,
            dtypes: numbers.filter((dtype) => dtype !== 'uint8'),
        },
    ),
    binaryRow(
        'remainder_',
        (x, y) => x.remainder_(y),
        (a, b) => a - b * Math.floor(a / b),
        {
            right: divisors,
            dtypes: numbers.filter((dtype) => dtype !== 'uint8'),
        },
    ),
    binaryRow('pow_', (x, y) => x.pow_(y), Math.pow, {
        inputs: [
            { shape: [5, 7], values: 'positive' },
            { shape: [7], values: 'positive' },
        ],
    }),
    binaryRow(
        'copy_',
        (x, y) => x.copy_(y),
        (_, b) => b,
        { wrong: [] },
    ),
    {
        op: 'masked_fill_',
        inputs: [{ shape: [5, 7] }, { shape: [5, 1], values: 'bool', dtype: 'bool' }],
        run: changed((x, mask) => x.maskedFill_(mask, 2)),
        reference: together((x, mask) => (mask ? 2 : x)),
        gradient: false,
        dtypes: numbers,
        wrong: [
            {
                call: () => ng.ones([2]).maskedFill_(ng.ones([2]), 1),
                message: /\[masked_fill_\] the mask must be bool/,
            },
        ],
    },
    ...unary.map(unaryRow),
];
