import { embedding, maskedSelect, nonzero, oneHot, ones, tensor } from '../../../lib/index.js';
import { at, build, mapRows, moved } from '../nd.js';
import { every } from '../reduction_rows.js';
import type { NdArray, OpSample } from '../sample.js';

const int = (...values: number[]): ReturnType<typeof tensor> => tensor(values, { dtype: 'int32' });

export const gatherSamples: readonly OpSample[] = [
    ...[0, 1].map((axis): OpSample => ({
        op: 'gather',
        title: `axis ${axis}`,
        inputs: [{ shape: [4, 4] }, { shape: [3, 2], values: { index: 4 }, dtype: 'int64' }],
        run: (x, index) => x.gather(axis, index),
        reference: (x, index) => build(index.shape, (place) => at(x, moved(place, axis, at(index, place)))),
        dtypes: every,
        secondOrder: true,
        large: [
            [400, 300],
            [300, 200],
        ],
        zeroSizes:
            axis === 0
                ? [
                      [
                          [4, 4],
                          [0, 2],
                      ],
                  ]
                : [],
        wrong: [
            {
                call: () => ones([2, 3]).gather(1, tensor([[0, 3]], { dtype: 'int32' })),
                message: /\[gather\] index 3 at position \[0, 1\] is outside \[0, 3\)/,
            },
            {
                call: () => ones([2, 3]).gather(1, tensor([[-1]], { dtype: 'int32' })),
                message: /\[gather\] index -1 at position \[0, 0\]/,
            },
            {
                call: () => ones([2, 3]).gather(1, ones([1, 1])),
                message: /\[gather\] the index must be int32, int64 or uint8, got float32/,
            },
            {
                call: () => ones([2, 3]).gather(1, int(0)),
                message: /\[gather\] the index \[1\] must have the rank of x \[2, 3\]/,
            },
        ],
    })),
    ...[0, -1].map((axis): OpSample => ({
        op: 'scatter_add',
        title: `axis ${axis}`,
        inputs: [
            { shape: [4, 3] },
            { shape: [4, 3], values: { index: 3 }, dtype: 'int32' },
            { shape: [4, 5] },
        ],
        run: (x, index, source) => x.scatterAdd(axis, index, source),
        reference: (x, index, source) => {
            const sums = { shape: x.shape, data: Float64Array.from(x.data) };
            build(index.shape, (place) => {
                const [i, j] = moved(place, (axis + 2) % 2, at(index, place));
                sums.data[i * x.shape[1] + j] += at(source, place);
                return 0;
            });
            return sums;
        },
        dtypes: every.filter((dtype) => dtype !== 'bool'),
        secondOrder: true,
        large: [
            [400, 300],
            [400, 300],
            [400, 301],
        ],
        tolerance: { relative: 1e-5, reason: 'terms that cancel' },
        wrong: [
            {
                call: () => ones([2]).scatterAdd(0, int(0, 2), ones([2])),
                message: /\[scatter_add\] index 2 at position \[1\] is outside \[0, 2\)/,
            },
            {
                call: () => ones([2]).scatterAdd(0, int(0, 1), ones([1])),
                message: /\[scatter_add\] the index \[2\] must have the rank of the source \[1\]/,
            },
            {
                call: () => ones([2]).scatterAdd(0, int(0), ones([1], { dtype: 'float64' })),
                message: /\[scatter_add\] dtypes differ: x float32, source float64/,
            },
        ],
    })),
    ...[0, 1, -1].map((axis): OpSample => ({
        op: 'index_select',
        title: `axis ${axis}`,
        covers: ['index_add'],
        inputs: [{ shape: [3, 4, 5] }, { shape: [6], values: { index: 3 }, dtype: 'int32' }],
        run: (x, index) => x.indexSelect(axis, index),
        reference: (x, index) =>
            mapRows(x, (axis + 3) % 3, (row) => Array.from(index.data, (place) => row[place])),
        dtypes: every,
        secondOrder: true,
        large: [[30, 40, 50], [600]],
        zeroSizes:
            axis === 1
                ? [
                      [[3, 4, 5], [0]],
                      [[0, 4, 5], [2]],
                  ]
                : [],
        wrong: [
            {
                call: () => ones([2, 3]).indexSelect(1, int(0, 3)),
                message: /\[index_select\] index 3 at position 1 is outside \[0, 3\)/,
            },
            {
                call: () => ones([2]).indexSelect(0, tensor([[0]], { dtype: 'int32' })),
                message: /\[index_select\] the index must be \[n\], got \[1, 1\]/,
            },
        ],
    })),
    {
        op: 'take',
        inputs: [{ shape: [3, 4] }, { shape: [2, 3], values: [0, -1, 11, -12, 5, 5], dtype: 'int64' }],
        run: (x, index) => x.take(index),
        reference: (x, index) => build(index.shape, (place) => x.data.at(at(index, place)) ?? NaN),
        dtypes: every,
        secondOrder: true,
        wrong: [
            {
                call: () => ones([2, 3]).take(int(-7)),
                message: /\[take\] index -7 at position \[0\] is outside \[-6, 6\)/,
            },
        ],
    },
    {
        op: 'embedding',
        inputs: [{ shape: [2, 4], values: { index: 5 }, dtype: 'int32' }, { shape: [5, 3] }],
        run: (index, weight) => embedding(index, weight),
        reference: (index, weight) =>
            build([...index.shape, weight.shape[1]], ([i, j, k]) => at(weight, [at(index, [i, j]), k])),
        secondOrder: true,
        large: [
            [200, 40],
            [500, 65],
        ],
        tolerance: { relative: 1e-5, reason: 'terms that cancel' },
        zeroSizes: [
            [
                [0, 4],
                [5, 3],
            ],
        ],
        wrong: [
            {
                call: () => embedding(int(1, 5), ones([5, 3])),
                message: /\[embedding\] index 5 at position 1 is outside \[0, 5\)/,
            },
            {
                call: () => embedding(int(0), ones([5])),
                message: /\[embedding\] the weight must be \[V, D\], got \[5\]/,
            },
            {
                call: () => embedding(int(0), ones([5, 3]), 5),
                message: /\[embedding\] paddingIndex 5 is outside \[-5, 4\]/,
            },
        ],
    },
];

function places(x: NdArray): number[][] {
    const found: number[][] = [];
    build(x.shape, (place) => {
        if (at(x, place) !== 0) found.push(place);
        return 0;
    });
    return found;
}

export const selectionSamples: readonly OpSample[] = [
    {
        op: 'nonzero',
        inputs: [{ shape: [3, 4], values: [0, 1, -2, 0, 0] }],
        run: (x) => nonzero(x),
        reference: (x) => {
            const found = places(x);
            return { shape: [found.length, 2], data: Float64Array.from(found.flat()) };
        },
        dtypes: every.filter((dtype) => dtype !== 'uint8'),
        gradient: false,
        zeroSizes: [[[0, 4]]],
    },
    {
        op: 'masked_select',
        inputs: [{ shape: [3, 4] }, { shape: [4], values: [1, 0, 0, 1], dtype: 'bool' }],
        run: (x, mask) => maskedSelect(x, mask),
        reference: (x, mask) => {
            const chosen = Array.from(x.data).filter((_, i) => mask.data[i % 4] !== 0);
            return { shape: [chosen.length], data: Float64Array.from(chosen) };
        },
        dtypes: every,
        secondOrder: true,
        zeroSizes: [[[0, 4], [4]]],
        wrong: [
            {
                call: () => ones([2]).maskedSelect(ones([2])),
                message: /\[maskedSelect\] the mask must be bool, got float32/,
            },
        ],
    },
    {
        op: 'one_hot',
        inputs: [{ shape: [2, 3], values: { index: 4 } }],
        run: (index) => oneHot(index, 4),
        reference: (index) => build([2, 3, 4], ([i, j, k]) => Number(at(index, [i, j]) === k)),
        dtypes: ['int64', 'int32', 'uint8'],
        gradient: false,
        wrong: [
            {
                call: () => oneHot(int(0, 4), 4),
                message: /\[one_hot\] index 4 at position \[1, 0\] is outside \[0, 4\)/,
            },
            {
                call: () => oneHot(int(0), 0),
                message: /\[one_hot\] the number of classes must be a positive integer, got 0/,
            },
        ],
    },
];
