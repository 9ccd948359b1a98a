import { ones } from '../../../lib/index.js';
import { mapRows } from '../nd.js';
import { rowsOf, total } from '../reduction_rows.js';
import type { OpSample } from '../sample.js';

const logSum = (values: readonly number[]): number => Math.log(total(values.map(Math.exp)));

export const softmaxSamples: readonly OpSample[] = [
    ...rowsOf('logsumexp', (x, axes, keepDims) => x.logsumexp(axes, keepDims), logSum, {
        tolerance: { relative: 1e-5, reason: 'exponentials of rounded differences' },
    }),
    ...[0, 1, -1].flatMap((axis): OpSample[] => [
        {
            op: 'softmax',
            title: `axis ${axis}`,
            inputs: [{ shape: [3, 5, 4] }],
            run: (x) => x.softmax(axis),
            reference: (x) =>
                mapRows(x, (axis + 3) % 3, (row) => row.map((value) => Math.exp(value - logSum(row)))),
            large: [[30, 40, 50]],
            secondOrder: true,
            // Sums run in lanes along a row, and one after the other down a column.
            exactOnViews: false,
            tolerance: { relative: 1e-5, reason: 'exponentials of rounded differences' },
            zeroSizes: axis === 1 ? [[[0, 2, 3]], [[2, 0, 3]]] : [],
            wrong: [
                {
                    call: () => ones([2], { dtype: 'int32' }).softmax(),
                    message: /\[softmax\] needs a float dtype/,
                },
                { call: () => ones([2]).softmax(1), message: /\[softmax\] axis 1 is outside/ },
            ],
        },
        {
            op: 'log_softmax',
            title: `axis ${axis}`,
            inputs: [{ shape: [3, 5, 4] }],
            run: (x) => x.logSoftmax(axis),
            reference: (x) => mapRows(x, (axis + 3) % 3, (row) => row.map((value) => value - logSum(row))),
            large: [[30, 40, 50]],
            secondOrder: true,
            // Sums run in lanes along a row, and one after the other down a column.
            exactOnViews: false,
            tolerance: { relative: 1e-5, reason: 'exponentials of rounded differences' },
            zeroSizes: axis === 1 ? [[[0, 2, 3]], [[2, 0, 3]]] : [],
            wrong: [
                {
                    call: () => ones([2], { dtype: 'int32' }).logSoftmax(),
                    message: /\[log_softmax\] needs a float dtype/,
                },
            ],
        },
    ]),
];
