import * as ng from '../../../lib/index.js';
import type { OpSample } from '../sample.js';
import { all, numbers, together, unaryRows } from './elementwise_rows.js';

const away: readonly number[] = [-2.7, 1.4, 0.3, -0.6, 2.2, -1.9, 3.8, 5.1, -4.4, 0.8, -3.3];
const clampTo = (min: number, max: number) => (x: number) =>
    Number.isNaN(x) ? NaN : Math.min(max, Math.max(min, x));

const whereSamples: readonly OpSample[] = [
    {
        op: 'where',
        inputs: [{ shape: [5, 1], values: 'bool', dtype: 'bool' }, { shape: [5, 7] }, { shape: [7] }],
        run: ng.where,
        reference: together((condition, yes, no) => (condition ? yes : no)),
        dtypes: all,
        secondOrder: true,
        large: [[130, 1], [130, 257], [257]],
        zeroSizes: [
            [[0], [0], [0]],
            [
                [2, 0],
                [2, 1],
                [1, 0],
            ],
        ],
        wrong: [
            {
                call: () => ng.where(ng.ones([2]), 1, 2),
                message: /\[where\] the condition must be bool, got float32; compare with x.ne\(0\)/,
            },
            {
                call: () => ng.where(ng.ones([2], { dtype: 'bool' }), ng.ones([3]), 2),
                message: /\[where\] shapes \[2\] and \[3\] do not broadcast/,
            },
        ],
    },
    {
        op: 'where',
        title: 'a number for yes',
        inputs: [{ shape: [5, 7], values: 'bool', dtype: 'bool' }, { shape: [5, 7] }],
        run: (condition, no) => ng.where(condition, 3, no),
        reference: together((condition, no) => (condition ? 3 : no)),
        dtypes: numbers,
        secondOrder: true,
    },
    {
        op: 'where',
        title: 'a number for no',
        inputs: [{ shape: [7], values: 'bool', dtype: 'bool' }, { shape: [5, 7] }],
        run: (condition, yes) => yes.where(condition, -2.5),
        reference: together((condition, yes) => (condition ? yes : -2.5)),
        secondOrder: true,
    },
];

const maskedFillSamples: readonly OpSample[] = [
    {
        op: 'masked_fill',
        inputs: [{ shape: [5, 7] }, { shape: [5, 1], values: 'bool', dtype: 'bool' }],
        run: (x, mask) => x.maskedFill(mask, 2),
        reference: together((x, mask) => (mask ? 2 : x)),
        dtypes: numbers,
        secondOrder: true,
        zeroSizes: [
            [[0], [0]],
            [
                [2, 0],
                [2, 1],
            ],
        ],
        wrong: [
            {
                call: () => ng.maskedFill(ng.ones([2]), ng.ones([2]), 1),
                message: /\[masked_fill\] the mask must be bool, got float32/,
            },
            {
                call: () => ng.maskedFill(ng.ones([2]), ng.ones([2], { dtype: 'bool' }), ng.ones([2])),
                message: /\[masked_fill\] the value must be a number or a 0-d tensor, got shape \[2\]/,
            },
        ],
    },
    {
        op: 'masked_fill',
        title: 'a 0-d value, and a mask with more dimensions',
        inputs: [{ shape: [7] }, { shape: [5, 1], values: 'bool', dtype: 'bool' }, { shape: [] }],
        run: (x, mask, value) => ng.maskedFill(x, mask, value),
        reference: together((x, mask, value) => (mask ? value : x)),
        secondOrder: true,
    },
];

const clampSamples: readonly OpSample[] = [
    ...unaryRows('clamp', (x) => x.clamp(-2, 1), clampTo(-2, 1), {
        values: away,
        dtypes: numbers,
        wrong: [
            { call: () => ng.ones([2]).clamp(), message: /\[clamp\] needs min, max or both/ },
            {
                call: () => ng.clamp(ng.ones([2]), ng.ones([2]) as never),
                message: /\[clamp\] bounds must be numbers, got object; use minimum\(\) or maximum\(\)/,
            },
        ],
    }),
    ...unaryRows('clamp', (x) => x.clamp(1), clampTo(1, Infinity), {
        title: 'min alone',
        values: away,
        dtypes: numbers,
    }),
    ...unaryRows('clamp', (x) => x.clamp(null, 1), clampTo(-Infinity, 1), {
        title: 'max alone',
        values: away,
        dtypes: numbers,
    }),
    ...unaryRows('clamp', (x) => x.clamp(0.5, 2), clampTo(0.5, 2), {
        title: 'a fraction makes integers float',
        values: away,
        dtypes: all,
    }),
    ...unaryRows(
        'clamp',
        (x) => x.clamp(NaN, 1),
        () => NaN,
        { title: 'NaN as a bound', gradient: false },
    ),
];

export const choiceSamples: readonly OpSample[] = [...whereSamples, ...maskedFillSamples, ...clampSamples];
