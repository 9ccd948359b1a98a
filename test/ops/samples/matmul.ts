import { ones } from '../../../lib/index.js';
import type { NdArray, OpSample } from '../sample.js';

// a [M, K], b [K, N] -> [M, N]
function product(a: NdArray, b: NdArray): NdArray {
    const [m = 0, k = 0] = a.shape;
    const n = b.shape[1] ?? 0;
    const data = new Float64Array(m * n);
    for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
            for (let p = 0; p < k; p++) data[i * n + j] += a.data[i * k + p] * b.data[p * n + j];
        }
    }
    return { shape: [m, n], data };
}

export const matmulSamples: readonly OpSample[] = [
    {
        op: 'matmul',
        inputs: [{ shape: [5, 7] }, { shape: [7, 3] }],
        run: (a, b) => a.matmul(b),
        reference: product,
        dtypes: ['float32', 'float64', 'float16', 'bfloat16', 'int64', 'int32', 'uint8'],
        secondOrder: true,
        zeroSizes: [
            [
                [0, 4],
                [4, 3],
            ],
            [
                [2, 0],
                [0, 3],
            ],
        ],
        wrong: [
            {
                call: () => ones([2, 3]).matmul(ones([4, 2])),
                message: /\[matmul\] inner dimensions differ.*\[2, 3\].*\[4, 2\]/,
            },
            {
                call: () => ones([2, 3]).matmul(ones([3, 2], { dtype: 'float64' })),
                message: /\[matmul\] dtypes differ/,
            },
        ],
    },
];
