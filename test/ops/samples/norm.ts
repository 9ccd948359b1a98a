import { batchNorm, groupNorm, layerNorm, ones } from '../../../lib/index.js';
import type { NdArray, OpSample } from '../sample.js';

/** (x - mean) / sqrt(variance + eps) w + b over the groups of elements with equal `groupOf(i)`. */
export function normalized(
    x: NdArray,
    eps: number,
    groupOf: (i: number) => number,
    affine: (i: number) => readonly [number, number],
): NdArray {
    const members = new Map<number, number[]>();
    x.data.forEach((value, i) => members.set(groupOf(i), [...(members.get(groupOf(i)) ?? []), value]));
    const data = x.data.map((value, i) => {
        const values = members.get(groupOf(i)) ?? [];
        const mean = values.reduce((a, b) => a + b, 0) / values.length;
        const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
        const [w, b] = affine(i);
        return ((value - mean) / Math.sqrt(variance + eps)) * w + b;
    });
    return { shape: x.shape, data };
}

function channelOf({ shape }: NdArray): (i: number) => number {
    const area = shape.slice(2).reduce((a, b) => a * b, 1);
    return (i) => Math.floor(i / area) % (shape[1] ?? 1);
}

const normReason = 'the square root of a variance divides sums of many elements';

function batchNormRow(title: string, shape: readonly number[], more: Partial<OpSample> = {}): OpSample {
    return {
        op: 'batch_norm',
        title,
        covers: ['batch_norm_backward'],
        inputs: [{ shape }, { shape: [shape[1] ?? 1] }, { shape: [shape[1] ?? 1] }],
        run: (x, w, b) => batchNorm(x, w, b, null, null, { training: true }),
        reference: (x, w, b) =>
            normalized(x, 1e-5, channelOf(x), (i) => [w.data[channelOf(x)(i)], b.data[channelOf(x)(i)]]),
        tolerance: { relative: 1e-5, reason: normReason },
        ...more,
    };
}

const batchNormWrong: OpSample['wrong'] = [
    {
        call: () => batchNorm(ones([1, 3]), null, null, null, null, { training: true }),
        message: /\[batch_norm\] needs more than one value per channel in training, got \[1, 3\]/,
    },
    { call: () => batchNorm(ones([4, 3])), message: /\[batch_norm\] needs runningMean and runningVar/ },
    {
        call: () => batchNorm(ones([4, 3]), ones([4]), null, null, null, { training: true }),
        message: /\[batch_norm\] weight has shape \[4\], expected \[3\]/,
    },
    {
        call: () => batchNorm(ones([4, 3]), null, null, ones([3]), null),
        message: /\[batch_norm\] runningMean and runningVar come together/,
    },
    { call: () => batchNorm(ones([4])), message: /\[batch_norm\] expects an input \[N, C, \.\.\.\]/ },
    {
        call: () => batchNorm(ones([4, 2]), null, null, null, null, { training: true, eps: -1 }),
        message: /\[batch_norm\] eps must be a finite number of at least 0/,
    },
];

export const normSamples: readonly OpSample[] = [
    batchNormRow('images', [3, 5, 3, 4], {
        large: [[9, 37, 16, 12], [37], [37]],
        zeroSizes: [[[0, 5, 3, 4], [5], [5]]],
        wrong: batchNormWrong,
    }),
    batchNormRow('vectors', [6, 3]),
    batchNormRow('sequences', [2, 3, 5]),
    {
        op: 'batch_norm',
        title: 'running statistics',
        inputs: [
            { shape: [3, 4, 2, 2] },
            { shape: [4] },
            { shape: [4] },
            { shape: [4], differentiable: false },
            { shape: [4], values: 'positive', differentiable: false },
        ],
        run: (x, w, b, mean, variance) => batchNorm(x, w, b, mean, variance, { eps: 1e-3 }),
        reference: (x, w, b, mean, variance) => {
            const channel = channelOf(x);
            return {
                shape: x.shape,
                data: x.data.map((value, i) => {
                    const c = channel(i);
                    const scale = w.data[c] / Math.sqrt(variance.data[c] + 1e-3);
                    return (value - mean.data[c]) * scale + b.data[c];
                }),
            };
        },
        tolerance: { relative: 1e-5, reason: normReason },
        large: [[9, 37, 8, 12], [37], [37], [37], [37]],
    },
    {
        op: 'batch_norm',
        title: 'without weight and bias',
        inputs: [{ shape: [4, 2, 3] }],
        run: (x) => batchNorm(x, null, null, null, null, { training: true }),
        reference: (x) => normalized(x, 1e-5, channelOf(x), () => [1, 0]),
        tolerance: { relative: 1e-5, reason: normReason },
    },
    {
        op: 'layer_norm',
        covers: ['layer_norm_backward'],
        inputs: [{ shape: [3, 4, 5] }, { shape: [4, 5] }, { shape: [4, 5] }],
        run: (x, w, b) => layerNorm(x, [4, 5], w, b),
        reference: (x, w, b) =>
            normalized(
                x,
                1e-5,
                (i) => Math.floor(i / 20),
                (i) => [w.data[i % 20], b.data[i % 20]],
            ),
        tolerance: { relative: 1e-5, reason: normReason },
        large: [[300, 4, 5]],
        zeroSizes: [[[0, 4, 5]]],
        wrong: [
            {
                call: () => layerNorm(ones([2, 3]), 4),
                message: /\[layer_norm\] the input \[2, 3\] does not end in the normalized shape \[4\]/,
            },
            {
                call: () => layerNorm(ones([2, 3]), 3, ones([2])),
                message: /\[layer_norm\] weight has shape \[2\], expected \[3\]/,
            },
        ],
    },
    {
        op: 'group_norm',
        inputs: [{ shape: [2, 6, 2, 3] }, { shape: [6] }, { shape: [6] }],
        run: (x, w, b) => groupNorm(x, 2, w, b, { eps: 1e-3 }),
        reference: (x, w, b) => {
            const channel = channelOf(x);
            return normalized(
                x,
                1e-3,
                (i) => Math.floor(i / 18),
                (i) => [w.data[channel(i)], b.data[channel(i)]],
            );
        },
        tolerance: { relative: 1e-5, reason: normReason },
        zeroSizes: [[[0, 6, 2, 3]]],
        wrong: [
            {
                call: () => groupNorm(ones([2, 5]), 2),
                message: /\[group_norm\] 5 channels do not divide into 2 groups/,
            },
            {
                call: () => groupNorm(ones([2, 4]), 2, ones([2])),
                message: /\[group_norm\] weight has shape \[2\], expected \[4\]/,
            },
        ],
    },
];
