import * as ng from '../../../lib/index.js';
import { erf, roundHalfToEven } from '../../support/special_functions.js';
import type { OpSample } from '../sample.js';
import { all, numbers, unaryRows } from './elementwise_rows.js';

const notForBool = (op: string, call: (x: ng.Tensor) => unknown): OpSample['wrong'] => [
    {
        call: () => call(ng.ones([2], { dtype: 'bool' })),
        message: new RegExp(`\\[${op}\\] is not defined for bool.*int32`),
    },
];

const away: readonly number[] = [-2.7, 1.4, 0.3, -0.6, 2.2, -1.9, 3.8, 5.1, -4.4, 0.8, -3.3];
const halves: readonly number[] = [0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 3.5, 0.3, -0.7, 1e9, -1e9];

const rounding = [
    ['floor', ng.floor, Math.floor],
    ['ceil', ng.ceil, Math.ceil],
    ['round', ng.round, roundHalfToEven],
    ['trunc', ng.trunc, Math.trunc],
] as const;

const roundingRows = rounding.flatMap(([op, run, reference]) => [
    ...unaryRows(op, run, reference, {
        values: away,
        dtypes: numbers,
        secondOrder: false,
        wrong: notForBool(op, run),
    }),
    ...unaryRows(op, run, reference, { title: 'halves', values: halves, gradient: false, special: false }),
]);

const plain = [
    ['exp', ng.exp, Math.exp],
    ['expm1', ng.expm1, Math.expm1],
    ['sin', ng.sin, Math.sin],
    ['cos', ng.cos, Math.cos],
    ['erf', ng.erf, erf],
] as const;

const positive = [
    ['log', ng.log, Math.log],
    ['log1p', ng.log1p, Math.log1p],
    ['log2', ng.log2, Math.log2],
    ['sqrt', ng.sqrt, Math.sqrt],
    ['rsqrt', ng.rsqrt, (x: number) => 1 / Math.sqrt(x)],
    ['reciprocal', ng.reciprocal, (x: number) => 1 / x],
] as const;

export const unarySamples: readonly OpSample[] = [
    ...unaryRows('abs', ng.abs, Math.abs, {
        values: away,
        dtypes: numbers,
        wrong: notForBool('abs', ng.abs),
    }),
    ...unaryRows('neg', ng.neg, (x) => -x, { dtypes: numbers, wrong: notForBool('neg', ng.neg) }),
    ...unaryRows('sign', ng.sign, (x) => Math.sign(x) || 0, {
        values: away,
        dtypes: all,
        secondOrder: false,
    }),
    ...unaryRows('square', ng.square, (x) => x * x, { dtypes: all }),
    ...roundingRows,
    ...plain.flatMap(([op, run, reference]) => unaryRows(op, run, reference, { dtypes: all })),
    ...positive.flatMap(([op, run, reference]) =>
        unaryRows(op, run, reference, { values: 'positive', dtypes: all }),
    ),
    ...unaryRows('tan', ng.tan, Math.tan, { values: 'unit', dtypes: all }),
];
