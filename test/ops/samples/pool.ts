import { adaptiveAvgPool2d, avgPool2d, maxPool2d, ones } from '../../../lib/index.js';
import type { NdArray, OpSample } from '../sample.js';

interface Windows {
    readonly kernel: readonly [number, number];
    readonly stride: readonly [number, number];
    readonly padding?: readonly [number, number];
    readonly dilation?: readonly [number, number];
    readonly ceil?: boolean;
}

/** out[n, c, i, j] = fold of the elements of window (i, j) that lie inside the image */
export function pooled(
    { kernel, stride, padding = [0, 0], dilation = [1, 1], ceil = false }: Windows,
    fold: (values: readonly number[]) => number,
) {
    return ({ shape, data }: NdArray): NdArray => {
        const [n = 0, c = 0, height = 0, width = 0] = shape;
        const size = [height, width].map((length, axis) => {
            const [pad, step] = [padding[axis], stride[axis]];
            const reach = (dilation[axis] ?? 1) * ((kernel[axis] ?? 1) - 1) + 1;
            const exact = (length + 2 * pad - reach) / step;
            const count = (ceil ? Math.ceil(exact) : Math.floor(exact)) + 1;
            return ceil && (count - 1) * step >= length + pad ? count - 1 : count;
        });
        const [rows = 0, columns = 0] = size;
        const out = new Float64Array(n * c * rows * columns);
        for (let at = 0; at < out.length; at++) {
            const plane = Math.floor(at / (rows * columns)) * height * width;
            const values: number[] = [];
            for (let r = 0; r < kernel[0]; r++) {
                for (let s = 0; s < kernel[1]; s++) {
                    const i = (Math.floor(at / columns) % rows) * stride[0] - padding[0] + r * dilation[0];
                    const j = (at % columns) * stride[1] - padding[1] + s * dilation[1];
                    if (i >= 0 && i < height && j >= 0 && j < width) values.push(data[plane + i * width + j]);
                }
            }
            out[at] = fold(values);
        }
        return { shape: [n, c, rows, columns], data: out };
    };
}

const largest = (values: readonly number[]): number => Math.max(...values);

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

const maxPoolWrong: OpSample['wrong'] = [
    {
        call: () => maxPool2d(ones([1, 1, 4, 4]), 2, { padding: 2 }),
        message: /\[max_pool2d\] padding \[2, 2\] is more than half of the kernel \[2, 2\]/,
    },
    {
        call: () => maxPool2d(ones([1, 1, 2, 4]), 3),
        message: /\[max_pool2d\] a window spans 3 pixels and the padded input has 2 along axis 2/,
    },
    { call: () => maxPool2d(ones([1, 4, 4]), 2), message: /\[max_pool2d\].*unsqueeze\(0\)/ },
    {
        call: () => maxPool2d(ones([1, 1, 4, 4], { dtype: 'int32' }), 2),
        message: /\[max_pool2d\] needs a float dtype/,
    },
    {
        call: () => maxPool2d(ones([1, 1, 4, 4]), [2, 2, 2]),
        message: /\[max_pool2d\] kernelSize must be an integer of at least 1 or two of them/,
    },
];

export const poolSamples: readonly OpSample[] = [
    {
        op: 'max_pool2d',
        title: 'tiles',
        covers: ['max_pool2d_backward'],
        inputs: [{ shape: [2, 3, 4, 6], values: 'distinct' }],
        run: (x) => maxPool2d(x, 2),
        reference: pooled({ kernel: [2, 2], stride: [2, 2] }, largest),
        large: [[9, 21, 18, 22]],
        zeroSizes: [[[0, 3, 4, 6]], [[2, 0, 4, 6]]],
        wrong: maxPoolWrong,
    },
    {
        op: 'max_pool2d',
        title: 'overlapping, padded, ceil',
        inputs: [{ shape: [2, 3, 6, 5], values: 'distinct' }],
        run: (x) => maxPool2d(x, 3, { stride: 2, padding: 1, ceilMode: true }),
        reference: pooled({ kernel: [3, 3], stride: [2, 2], padding: [1, 1], ceil: true }, largest),
        large: [[5, 19, 16, 23]],
    },
    {
        op: 'max_pool2d',
        title: 'dilated, gaps between windows',
        inputs: [{ shape: [1, 2, 7, 9], values: 'distinct' }],
        run: (x) => maxPool2d(x, [2, 3], { stride: [4, 3], dilation: [2, 1], padding: [0, 1] }),
        reference: pooled({ kernel: [2, 3], stride: [4, 3], dilation: [2, 1], padding: [0, 1] }, largest),
    },
    {
        op: 'max_pool2d',
        title: 'a window of more than 255 pixels',
        inputs: [{ shape: [1, 2, 17, 33], values: 'distinct' }],
        run: (x) => maxPool2d(x, [16, 17], { stride: [1, 16] }),
        reference: pooled({ kernel: [16, 17], stride: [1, 16] }, largest),
        dtypes: ['float32', 'float64'],
    },
    {
        op: 'avg_pool2d',
        title: 'tiles',
        covers: ['resample2d'],
        inputs: [{ shape: [2, 3, 4, 6] }],
        run: (x) => avgPool2d(x, 2),
        reference: pooled({ kernel: [2, 2], stride: [2, 2] }, mean),
        secondOrder: true,
        large: [[9, 21, 18, 22]],
        zeroSizes: [[[0, 3, 4, 6]], [[2, 0, 4, 6]]],
        wrong: [
            {
                call: () => avgPool2d(ones([1, 1, 4, 4]), 2, { padding: 2 }),
                message: /\[avg_pool2d\] padding \[2, 2\] is more than half of the kernel/,
            },
            { call: () => avgPool2d(ones([4, 4]), 2), message: /\[avg_pool2d\] expects an input/ },
        ],
    },
    {
        op: 'avg_pool2d',
        title: 'padding not counted, ceil',
        inputs: [{ shape: [2, 3, 6, 5] }],
        run: (x) => avgPool2d(x, 3, { stride: 2, padding: 1, ceilMode: true, countIncludePad: false }),
        reference: pooled({ kernel: [3, 3], stride: [2, 2], padding: [1, 1], ceil: true }, mean),
    },
    {
        op: 'avg_pool2d',
        title: 'padding counted',
        inputs: [{ shape: [2, 3, 5, 5] }],
        run: (x) => avgPool2d(x, 3, { stride: 2, padding: 1 }),
        reference: pooled(
            { kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
            (values) => values.reduce((a, b) => a + b, 0) / 9,
        ),
    },
    {
        op: 'adaptive_avg_pool2d',
        inputs: [{ shape: [2, 3, 6, 4] }],
        run: (x) => adaptiveAvgPool2d(x, [3, 2]),
        reference: pooled({ kernel: [2, 2], stride: [2, 2] }, mean),
        secondOrder: true,
        zeroSizes: [[[0, 3, 6, 4]]],
        wrong: [
            {
                call: () => adaptiveAvgPool2d(ones([1, 1, 4, 4]), 0),
                message: /\[adaptive_avg_pool2d\] outputSize must be an integer of at least 1/,
            },
            {
                call: () => adaptiveAvgPool2d(ones([1, 1, 0, 4]), 2),
                message: /\[adaptive_avg_pool2d\] the image is empty/,
            },
        ],
    },
];
