import { ones } from '../../../lib/index.js';
import { reduceWith } from '../nd.js';
import { average, every, product, rowsOf, total } from '../reduction_rows.js';
import type { OpSample } from '../sample.js';

export const sumSamples: readonly OpSample[] = [
    ...rowsOf('sum', (x, axes, keepDims) => x.sum(axes, keepDims), total, {
        dtypes: every,
        tolerance: { relative: 1e-5, reason: 'terms that cancel' },
        wrong: [
            { call: () => ones([2, 3]).sum(2), message: /\[sum\] axis 2 is outside \[-2, 1\]/ },
            {
                call: () => ones([2, 3]).sum([0, -2]),
                message: /\[sum\] axes \[0, 0\] name a dimension twice/,
            },
        ],
    }),
    {
        op: 'sum',
        title: 'nothing',
        inputs: [{ shape: [2, 3] }],
        run: (x) => x.sum(0),
        reference: (x) => reduceWith(x, [0], total),
        exactOnViews: false,
        secondOrder: true,
        zeroSizes: [[[0, 3]], [[2, 0]]],
    },
    ...rowsOf('mean', (x, axes, keepDims) => x.mean(axes, keepDims), average, {
        wrong: [
            {
                call: () => ones([2], { dtype: 'int32' }).mean(),
                message: /\[mean\] needs a float dtype.*int32/,
            },
        ],
    }),
    ...rowsOf(
        'count_nonzero',
        (x, axes, keepDims) => x.countNonzero(axes, keepDims),
        (values) => values.filter((v) => v !== 0).length,
        {
            inputs: [{ shape: [], values: [0, 1, 0, -2, 3] }],
            dtypes: every.filter((dtype) => dtype !== 'uint8'),
            gradient: false,
        },
    ),
];

export const prodSamples: readonly OpSample[] = [
    ...rowsOf('prod', (x, axes, keepDims) => x.prod(axes, keepDims), product, {
        covers: ['prod_others'],
        inputs: [{ shape: [], values: 'positive' }],
        large: [],
        tolerance: { relative: 1e-5, reason: 'relative errors of the factors add up' },
    }),
    {
        op: 'prod',
        title: 'zeros among the factors',
        inputs: [{ shape: [4, 3], values: [2, 0, 3, 0, 0, 1, 2, -3, 4, 1, 2, 0] }],
        run: (x) => x.prod(1),
        reference: (x) => reduceWith(x, [1], product),
        secondOrder: true,
        zeroSizes: [[[0, 3]], [[2, 0]]],
    },
];

export const logicSamples: readonly OpSample[] = [
    ...rowsOf(
        'any',
        (x, axes, keepDims) => x.any(axes, keepDims),
        (values) => Number(values.some((v) => v !== 0)),
        {
            inputs: [{ shape: [], values: [0, 0, 0, 1, 0, 0, 0, 0, 0] }],
            dtypes: every,
            gradient: false,
        },
    ),
    ...rowsOf(
        'all',
        (x, axes, keepDims) => x.all(axes, keepDims),
        (values) => Number(values.every((v) => v !== 0)),
        {
            inputs: [{ shape: [], values: [1, 1, 1, 0, 1, 1, 1, 1, 1] }],
            dtypes: every,
            gradient: false,
        },
    ),
];
