import { linear, ones } from '../../../lib/index.js';
import type { NdArray, OpSample } from '../sample.js';

// x [M, K], w [N, K](, b [N]) -> [M, N]
function affine(x: NdArray, w: NdArray, b?: NdArray): NdArray {
    const [m = 0, k = 0] = x.shape;
    const n = w.shape[0] ?? 0;
    const data = new Float64Array(m * n);
    for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
            let total = b?.data[j] ?? 0;
            for (let p = 0; p < k; p++) total += (x.data[i * k + p] ?? NaN) * (w.data[j * k + p] ?? NaN);
            data[i * n + j] = total;
        }
    }
    return { shape: [m, n], data };
}

export const linearSamples: readonly OpSample[] = [
    {
        op: 'linear',
        inputs: [{ shape: [5, 7] }, { shape: [3, 7] }, { shape: [3] }],
        run: (x, w, b) => linear(x, w, b),
        reference: affine,
        dtypes: ['float32', 'float64', 'float16', 'bfloat16', 'int64', 'int32', 'uint8'],
        secondOrder: true,
        zeroSizes: [
            [[0, 4], [3, 4], [3]],
            [[2, 0], [3, 0], [3]],
        ],
        wrong: [
            {
                call: () => linear(ones([2, 3]), ones([4, 2])),
                message: /\[linear\] inner dimensions differ.*\[2, 3\].*\[4, 2\]/,
            },
            {
                call: () => linear(ones([2, 3]), ones([4, 3]), ones([3])),
                message: /\[linear\] the bias must be \[4\]/,
            },
            {
                call: () => linear(ones([2, 3]), ones([4, 3], { dtype: 'float64' })),
                message: /\[linear\] dtypes differ/,
            },
        ],
    },
    {
        op: 'linear',
        title: 'no bias, many rows',
        inputs: [{ shape: [37, 20] }, { shape: [18, 20] }],
        run: (x, w) => linear(x, w),
        reference: affine,
        secondOrder: true,
    },
    {
        op: 'linear',
        title: 'leading dimensions',
        inputs: [{ shape: [2, 3, 5] }, { shape: [4, 5] }, { shape: [4] }],
        run: (x, w, b) => linear(x, w, b),
        reference: (x, w, b) => ({ ...affine({ ...x, shape: [6, 5] }, w, b), shape: [2, 3, 4] }),
    },
];
