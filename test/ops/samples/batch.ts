import { affineSample, batchGather, ones, tensor } from '../../../lib/index.js';
import type { OpSample } from '../sample.js';

export const batchSamples: readonly OpSample[] = [
    {
        op: 'batch_gather',
        inputs: [
            { shape: [5, 3], differentiable: false },
            { shape: [4], values: { index: 5 }, dtype: 'int32' },
        ],
        run: (x, index) => batchGather(x.contiguous(), index, { dtype: x.dtype, scale: 2, shift: -1 }),
        reference: (x, index) => ({
            shape: [index.data.length, x.shape[1] ?? 0],
            data: Float64Array.from({ length: index.data.length * (x.shape[1] ?? 0) }, (_, i) => {
                const row = index.data[Math.floor(i / 3)] ?? 0;
                return (x.data[row * 3 + (i % 3)] ?? 0) * 2 - 1;
            }),
        }),
        gradient: false,
        zeroSizes: [
            [[5, 3], [0]],
            [[5, 0], [2]],
        ],
        wrong: [
            {
                call: () => batchGather(ones([2, 2]), tensor([2], { dtype: 'int32' })),
                message: /\[batch_gather\] index 2 at position 0 is outside \[0, 2\)/,
            },
            {
                call: () => batchGather(ones([2, 2]), ones([1])),
                message: /\[batch_gather\].*integer index.*float32 \[1\]/,
            },
        ],
    },
    {
        op: 'affine_sample',
        inputs: [
            { shape: [2, 1, 4, 5], differentiable: false },
            // A quarter turn about the middle, and a shift by half a pixel.
            {
                shape: [2, 2, 3],
                values: [0, -1, 0, 1, 0, 0, 1, 0, 0.5, 0, 1, 0],
                dtype: 'float64',
                differentiable: false,
            },
        ],
        run: (x, maps) => affineSample(x, maps),
        reference: (x) => {
            if (x.data.length === 0) return { shape: x.shape, data: x.data };
            const at = (n: number, row: number, column: number): number =>
                row < 0 || row > 3 || column < 0 || column > 4 ? 0 : (x.data[n * 20 + row * 5 + column] ?? 0);
            const data = new Float64Array(40);
            for (let row = 0; row < 4; row++) {
                for (let column = 0; column < 5; column++) {
                    const [dx, dy] = [column - 2, row - 1.5];
                    // Input position (2 - dy, 1.5 + dx): both coordinates lie half-way between pixels.
                    const [left, top] = [Math.floor(2 - dy), Math.floor(1.5 + dx)];
                    data[row * 5 + column] =
                        (at(0, top, left) +
                            at(0, top, left + 1) +
                            at(0, top + 1, left) +
                            at(0, top + 1, left + 1)) /
                        4;
                    data[20 + row * 5 + column] = (at(1, row, column) + at(1, row, column + 1)) / 2;
                }
            }
            return { shape: [2, 1, 4, 5], data };
        },
        gradient: false,
        zeroSizes: [
            [
                [0, 1, 4, 5],
                [0, 2, 3],
            ],
        ],
        wrong: [
            {
                call: () => affineSample(ones([2, 3]), ones([2, 2, 3])),
                message: /\[affine_sample\].*\[2, 3\]/,
            },
        ],
    },
];
