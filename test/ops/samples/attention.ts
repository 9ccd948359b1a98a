import { ones, scaledDotProductAttention } from '../../../lib/index.js';
import { at, build } from '../nd.js';
import type { NdArray, OpSample } from '../sample.js';

/** softmax(q k^T / sqrt(E)) v, where a query sees the keys that `sees` says. */
function attention(
    q: NdArray,
    k: NdArray,
    v: NdArray,
    sees: (query: number, key: number) => boolean,
): NdArray {
    const [batch = 0, queries = 0, size = 0] = q.shape;
    const [, keys = 0, width = 0] = v.shape;
    return build([batch, queries, width], ([b = 0, i = 0, column = 0]) => {
        const weights = Array.from({ length: keys }, (_, j) => {
            let score = 0;
            for (let e = 0; e < size; e++) score += at(q, [b, i, e]) * at(k, [b, j, e]);
            return sees(i, j) ? Math.exp(score / Math.sqrt(size)) : 0;
        });
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        return weights.reduce((sum, weight, j) => sum + (weight / total) * at(v, [b, j, column]), 0);
    });
}

const inputs = [{ shape: [2, 3, 4] }, { shape: [2, 5, 4] }, { shape: [2, 5, 6] }];
const common = {
    op: 'scaled_dot_product_attention',
    inputs,
    secondOrder: true,
    exactOnViews: false,
    // In 16 bits the scores and weights are rounded on their way, each as the samples of products and softmax say.
    dtypes: ['float32', 'float64'],
    tolerance: { relative: 2e-5, reason: 'exponentials of rounded sums' },
} as const;

export const attentionSamples: readonly OpSample[] = [
    {
        ...common,
        run: (q, k, v) => scaledDotProductAttention(q, k, v),
        reference: (q, k, v) => attention(q, k, v, () => true),
        large: [
            [8, 60, 32],
            [8, 70, 32],
            [8, 70, 40],
        ],
        zeroSizes: [
            [
                [0, 3, 4],
                [0, 5, 4],
                [0, 5, 6],
            ],
        ],
        wrong: [
            {
                call: () => scaledDotProductAttention(ones([2, 3]), ones([2, 4]), ones([2, 3])),
                message:
                    /\[scaledDotProductAttention\] query and key must have vectors of one size: query \[2, 3\]/,
            },
        ],
    },
    {
        ...common,
        title: 'causal',
        run: (q, k, v) => scaledDotProductAttention(q, k, v, { isCausal: true }),
        reference: (q, k, v) => attention(q, k, v, (query, key) => key <= query),
    },
];
