import * as ng from '../../../lib/index.js';
import type { OpSample } from '../sample.js';
import { all, binaryRows, specialValues, together, unaryRows } from './elementwise_rows.js';

const left: readonly number[] = [0, 1, 2, -1, 1, 0, 3, 2, 5, -2, 1];
const right: readonly number[] = [1, 1, -1, 2, 0, 0, 3];

type Comparison = readonly [
    string,
    (a: ng.Operand, b: ng.Operand) => ng.Tensor,
    (a: number, b: number) => boolean,
];

const truth = (x: number): boolean => x !== 0;

const comparisons: readonly Comparison[] = [
    ['eq', ng.eq, (a, b) => a === b],
    ['ne', ng.ne, (a, b) => a !== b],
    ['lt', ng.lt, (a, b) => a < b],
    ['le', ng.le, (a, b) => a <= b],
    ['gt', ng.gt, (a, b) => a > b],
    ['ge', ng.ge, (a, b) => a >= b],
    ['logical_and', ng.logicalAnd, (a, b) => truth(a) && truth(b)],
    ['logical_or', ng.logicalOr, (a, b) => truth(a) || truth(b)],
    ['logical_xor', ng.logicalXor, (a, b) => truth(a) !== truth(b)],
];

function rows([op, run, holds]: Comparison): OpSample[] {
    const reference = (a: number, b: number): number => Number(holds(a, b));
    const wrong: OpSample['wrong'] = [
        {
            call: () => run(ng.ones([2]), ng.ones([3])),
            message: new RegExp(`\\[${op}\\] shapes \\[2\\] and \\[3\\] do not broadcast`),
        },
    ];
    return [
        ...binaryRows(op, run, reference, {
            values: left,
            right,
            number: 1,
            dtypes: all,
            gradient: false,
            wrong,
        }),
        {
            op,
            title: 'special values',
            inputs: [
                { shape: [specialValues.length, 1], values: specialValues },
                { shape: [specialValues.length], values: specialValues },
            ],
            run,
            reference: together(reference),
            gradient: false,
        },
        {
            op,
            title: 'int32 and a fraction',
            inputs: [{ shape: [11], values: left }],
            run: (a) => run(a, 1.5),
            reference: (a) => ({ shape: a.shape, data: a.data.map((x) => reference(x, 1.5)) }),
            dtypes: ['int64', 'int32', 'uint8', 'bool'],
            gradient: false,
        },
    ];
}

const predicates = [
    ['logical_not', ng.logicalNot, (x: number) => x === 0],
    ['is_nan', ng.isNaN, Number.isNaN],
    ['is_finite', ng.isFinite, Number.isFinite],
    ['is_inf', ng.isInf, (x: number) => Math.abs(x) === Infinity],
] as const;

export const compareSamples: readonly OpSample[] = [
    ...comparisons.flatMap(rows),
    ...predicates.flatMap(([op, run, holds]) =>
        unaryRows(op, run, (x) => Number(holds(x)), { values: left, dtypes: all, gradient: false }),
    ),
];
