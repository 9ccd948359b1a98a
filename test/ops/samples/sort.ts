import { argsort, ones, sort, topk, type Tensor } from '../../../lib/index.js';
import { mapRows } from '../nd.js';
import { every } from '../reduction_rows.js';
import type { OpSample } from '../sample.js';

const ascending = (row: readonly number[]): number[] => [...row].sort((a, b) => a - b);
const descending = (row: readonly number[]): number[] => [...row].sort((a, b) => b - a);
const sortable = every.filter((dtype) => dtype !== 'bool');

export const sortSamples: readonly OpSample[] = [
    ...[0, 1, -1].map((axis): OpSample => ({
        op: 'sort',
        title: `axis ${axis}`,
        inputs: [{ shape: [3, 5, 4], values: 'distinct' }],
        run: (x) => sort(x, axis, axis === 1),
        reference: (x) => mapRows(x, (axis + 3) % 3, axis === 1 ? descending : ascending),
        dtypes: sortable,
        secondOrder: true,
        large: [[20, 30, 40]],
        zeroSizes: axis === 1 ? [[[2, 0, 3]], [[0, 2, 3]]] : [],
        wrong: [{ call: () => ones([2]).sort(1), message: /\[sort\] axis 1 is outside/ }],
    })),
    {
        op: 'argsort',
        title: 'ties keep their order',
        inputs: [{ shape: [2, 9], values: [2, 1, 2, 0, 1, 2, 1] }],
        run: (x) => argsort(x, 1, true),
        reference: (x) =>
            mapRows(x, 1, (row) => row.map((_, i) => i).sort((a, b) => row[b] - row[a] || a - b)),
        dtypes: sortable,
        gradient: false,
        wrong: [{ call: () => ones([2]).argsort(1), message: /\[sort\] axis 1 is outside/ }],
    },
    {
        op: 'topk',
        title: 'largest',
        inputs: [{ shape: [3, 40], values: 'distinct' }],
        run: (x) => topk(x, 3),
        reference: (x) => mapRows(x, 1, (row) => descending(row).slice(0, 3)),
        dtypes: sortable,
        secondOrder: true,
        large: [[60, 700]],
        zeroSizes: [[[0, 40]]],
        wrong: [
            {
                call: () => ones([2, 3]).topk(4),
                message: /\[topk\] k 4 is outside \[0, 3\] for axis -1 of shape \[2, 3\]/,
            },
            { call: () => ones([2, 3]).topk(1.5), message: /\[topk\] k 1.5 is outside \[0, 3\]/ },
        ],
    },
    {
        op: 'topk',
        title: 'smallest of the first axis',
        inputs: [{ shape: [5, 3], values: 'distinct' }],
        run: (x): readonly Tensor[] => topk(x, 2, 0, false),
        reference: (x) => mapRows(x, 0, (row) => ascending(row).slice(0, 2)),
        dtypes: sortable,
        secondOrder: true,
    },
];
