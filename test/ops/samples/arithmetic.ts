import * as ng from '../../../lib/index.js';
import type { OpSample } from '../sample.js';
import { all, binaryRows, floats, numbers, unaryRows } from './elementwise_rows.js';

const doNotBroadcast = (op: string, run: (a: ng.Tensor, b: ng.Tensor) => unknown): OpSample['wrong'] => [
    {
        call: () => run(ng.ones([2, 3]), ng.ones([2, 2])),
        message: new RegExp(`\\[${op}\\] shapes \\[2, 3\\] and \\[2, 2\\] do not broadcast`),
    },
    {
        call: () => run(ng.ones([2]), null as never),
        message: new RegExp(`\\[${op}\\] the second operand must be a Tensor, got null`),
    },
    {
        call: () => {
            const x = ng.ones([2]);
            x.dispose();
            return run(ng.ones([2]), x);
        },
        message: new RegExp(`\\[${op}\\] input 1 of shape \\[2\\] was used after it was disposed`),
    },
];

const integersOnly = (
    op: string,
    run: (a: ng.Operand, b: ng.Operand) => unknown,
): NonNullable<OpSample['wrong']> => [
    {
        call: () => run(ng.ones([2], { dtype: 'bool' }), ng.ones([2], { dtype: 'bool' })),
        message: new RegExp(`\\[${op}\\] is not defined for bool`),
    },
];

const divisors: readonly number[] = [3, -2, 5, -7, 4, 1, -3];
const dividends: readonly number[] = [7, -7, 9, 1, -8, 12, -5, 3, 11, -2, 6];
const byZero = (
    op: string,
    run: (a: ng.Operand, b: ng.Operand) => unknown,
): NonNullable<OpSample['wrong']> => [
    ...integersOnly(op, run),
    {
        call: () => run(ng.ones([2], { dtype: 'int32' }), 0),
        message: new RegExp(`\\[${op}\\] integer division by zero`),
    },
];

const floorDivide = (a: number, b: number): number => Math.floor(a / b);
const remainder = (a: number, b: number): number => a - b * Math.floor(a / b);

export const arithmeticSamples: readonly OpSample[] = [
    ...binaryRows('add', ng.add, (a, b) => a + b, { dtypes: all, wrong: doNotBroadcast('add', ng.add) }),
    ...binaryRows('sub', ng.sub, (a, b) => a - b, {
        dtypes: numbers,
        wrong: [
            ...doNotBroadcast('sub', ng.sub)!,
            {
                call: () => ng.sub(ng.ones([2], { dtype: 'bool' }), 1),
                message: /\[sub\] is not defined for bool/,
            },
        ],
    }),
    ...binaryRows('mul', ng.mul, (a, b) => a * b, { dtypes: all, wrong: doNotBroadcast('mul', ng.mul) }),
    ...binaryRows('div', ng.div, (a, b) => a / b, {
        right: 'positive',
        dtypes: numbers,
        number: 3,
        wrong: doNotBroadcast('div', ng.div),
    }),
    ...binaryRows('floor_divide', ng.floorDivide, floorDivide, {
        title: 'fractions',
        values: [2.3, -1.7, 5.3, -3.8, 0.4],
        right: [0.7, -1.3, 2.1],
        number: 1.25,
        secondOrder: false,
        wrong: byZero('floor_divide', ng.floorDivide),
    }),
    ...binaryRows('floor_divide', ng.floorDivide, floorDivide, {
        title: 'whole numbers',
        values: dividends,
        right: divisors,
        number: -3,
        dtypes: numbers.filter((dtype) => dtype !== 'uint8'),
        gradient: false,
    }),
    ...binaryRows('remainder', ng.remainder, remainder, {
        title: 'fractions',
        values: [2.3, -1.7, 5.3, -3.8, 0.4],
        right: [0.7, -1.3, 2.1],
        number: 1.25,
        wrong: byZero('remainder', ng.remainder),
    }),
    ...binaryRows('remainder', ng.remainder, remainder, {
        title: 'whole numbers',
        values: dividends,
        right: divisors,
        number: -3,
        dtypes: numbers.filter((dtype) => dtype !== 'uint8'),
        gradient: false,
    }),
    ...binaryRows('pow', ng.pow, Math.pow, {
        values: 'positive',
        number: 3,
        dtypes: numbers,
        wrong: [
            ...doNotBroadcast('pow', ng.pow)!,
            ...integersOnly('pow', ng.pow),
            {
                call: () => ng.pow(ng.ones([2], { dtype: 'int32' }), -2),
                message: /\[pow\] integers cannot be raised to -2/,
            },
        ],
    }),
    ...[0, 1, 2, 3, 0.5, -0.5, -1, -2.5].flatMap((exponent) =>
        unaryRows(
            'pow',
            (x) => x.pow(exponent),
            (x) => Math.pow(x, exponent),
            {
                title: `exponent ${exponent}`,
                secondOrder: exponent !== 0,
                values: 'positive',
                special: false,
            },
        ),
    ),
    ...binaryRows('minimum', ng.minimum, Math.min, { dtypes: all, number: 0.25 }),
    ...binaryRows('maximum', ng.maximum, Math.max, { dtypes: all, number: 0.25 }),
    ...mixedDtypes(),
];

/** Operands of two dtypes meet in the promoted one; gradients come back in the dtype of each input. */
function mixedDtypes(): OpSample[] {
    return [
        {
            op: 'mul',
            title: 'with an int32 tensor',
            inputs: [{ shape: [5, 7] }, { shape: [7], values: { index: 9 }, dtype: 'int32' }],
            run: (a, b) => a.mul(b),
            reference: (a, b) => ({ shape: a.shape, data: a.data.map((x, i) => x * (b.data[i % 7] ?? 0)) }),
            dtypes: floats,
            secondOrder: true,
        },
        {
            op: 'add',
            title: 'float64 with a float32 tensor',
            inputs: [{ shape: [3] }, { shape: [3], dtype: 'float32', differentiable: false }],
            run: (a, b) => a.add(b),
            reference: (a, b) => ({ shape: a.shape, data: a.data.map((x, i) => x + (b.data[i] ?? 0)) }),
            dtypes: ['float64', 'float32'],
        },
    ];
}
