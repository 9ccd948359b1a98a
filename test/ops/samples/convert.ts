import * as ng from '../../../lib/index.js';
import type { NdArray, OpSample } from '../sample.js';
import { all, floats } from './elementwise_rows.js';

const same = (x: NdArray): NdArray => x;

export const convertSamples: readonly OpSample[] = [
    {
        op: 'cast',
        title: 'to float64',
        inputs: [{ shape: [5, 7] }],
        run: (x) => x.to('float64'),
        reference: same,
        dtypes: all,
        secondOrder: true,
        large: [[130, 257]],
        zeroSizes: [[[0]], [[3, 0]]],
        wrong: [
            {
                call: () => ng.ones([2]).to('float8' as ng.DType),
                message: /unknown dtype or device 'float8'; expected one of float32/,
            },
            {
                call: () => ng.cast([1] as never, 'int32'),
                message: /\[cast\] input must be a Tensor, got an array/,
            },
        ],
    },
    {
        op: 'cast',
        title: 'to int32',
        inputs: [{ shape: [5, 7] }],
        run: (x) => x.to('int32'),
        reference: ({ shape, data }) => ({ shape, data: data.map(Math.trunc) }),
        dtypes: all,
        gradient: false,
    },
    {
        op: 'cast',
        title: 'to bool',
        inputs: [{ shape: [6], values: [0, 0.5, -2, 0, NaN, 1] }],
        run: (x) => x.to('bool'),
        reference: ({ shape, data }) => ({ shape, data: data.map((x) => Number(x !== 0)) }),
        dtypes: floats,
        gradient: false,
    },
    {
        op: 'clone',
        inputs: [{ shape: [5, 7] }],
        run: (x) => x.clone(),
        reference: same,
        dtypes: all,
        secondOrder: true,
        large: [[130, 257]],
        zeroSizes: [[[0]], [[3, 0]]],
    },
    {
        op: 'contiguous',
        inputs: [{ shape: [5, 7] }],
        run: (x) => x.transpose().contiguous(),
        reference: ({ data }) => ({
            shape: [7, 5],
            data: Float64Array.from({ length: 35 }, (_, i) => data[(i % 5) * 7 + Math.floor(i / 5)] ?? NaN),
        }),
        dtypes: all,
        secondOrder: true,
    },
];
