import { nn, ones, tensor } from '../../../lib/index.js';
import type { NdArray, OpSample } from '../sample.js';

const ignored = -100;

/** Losses of rows by the definition, in float64; `weights` and `smoothing` as in PyTorch. */
function losses(x: NdArray, labels: NdArray, weights: readonly number[], smoothing: number): number[] {
    const classes = x.shape[1] ?? 0;
    return Array.from(labels.data, (label, row) => {
        if (label === ignored) return 0;
        const scores = x.data.subarray(row * classes, (row + 1) * classes);
        const largest = Math.max(...scores);
        const lse = largest + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - largest), 0));
        const terms = Array.from(scores, (score, c) => (weights[c] ?? 1) * (lse - score));
        const spread = terms.reduce((a, b) => a + b, 0);
        return (1 - smoothing) * (terms[label] ?? NaN) + (smoothing / classes) * spread;
    });
}

const scores = { shape: [4, 5] };
const labels = { shape: [4], values: [0, 4, 2, 2], dtype: 'int64' } as const;
const weights = [0.5, 1, 2, 1.5, 0.25];

export const lossSamples: readonly OpSample[] = [
    {
        op: 'cross_entropy',
        covers: ['cross_entropy_backward', 'label_mean'],
        inputs: [scores, labels],
        run: (x, y) => nn.crossEntropy(x, y),
        reference: (x, y) => ({
            shape: [],
            data: Float64Array.of(losses(x, y, [], 0).reduce((a, b) => a + b, 0) / y.data.length),
        }),
        wrong: [
            {
                call: () => nn.crossEntropy(ones([1, 3]), tensor([3], { dtype: 'int32' })),
                message: /\[cross_entropy\] label 3 at row 0 is outside \[0, 3\)/,
            },
            {
                call: () => nn.crossEntropy(ones([2, 3]), ones([3])),
                message: /\[cross_entropy\].*\[2, 3\].*\[3\]/,
            },
            {
                call: () =>
                    nn.crossEntropy(ones([1, 3]), tensor([0], { dtype: 'int32' }), { labelSmoothing: 2 }),
                message: /\[cross_entropy\] labelSmoothing.*got 2/,
            },
        ],
    },
    {
        op: 'cross_entropy',
        title: 'weights, smoothing, an ignored label, no reduction',
        inputs: [scores, { ...labels, values: [3, ignored, 0, 1] }],
        run: (x, y) =>
            nn.crossEntropy(x, y, {
                weight: tensor([...weights], { dtype: x.dtype }),
                labelSmoothing: 0.1,
                reduction: 'none',
            }),
        reference: (x, y) => ({ shape: [4], data: Float64Array.from(losses(x, y, weights, 0.1)) }),
    },
];
