import assert from 'node:assert/strict';

import { SelfAttention, Transformer } from '../../examples/modules/transformer.js';
import {
    Generator,
    noGrad,
    randint,
    randn,
    scaledDotProductAttention,
    type Tensor,
} from '../../lib/index.js';

describe("the examples' transformer", () => {
    it('sees nothing of what comes later', () => {
        const model = new Transformer({ symbols: 7, length: 6, width: 8, heads: 2, blocks: 2 }).eval();
        const text = randint(0, 7, [1, 6], { dtype: 'int64', generator: new Generator(1) });
        const before = noGrad(() => model.forward(text));
        const changed = text.clone();
        changed.select(1, 3).add_(1).remainder_(7);
        const after = noGrad(() => model.forward(changed));
        const differs = before.ne(after).any(-1).toArray() as number[][];
        assert.deepEqual(differs, [[0, 0, 0, 1, 1, 1]]);
    });

    it('attends as scaledDotProductAttention does', () => {
        const attention = new SelfAttention(12, 3);
        const x = randn([2, 5, 12], { generator: new Generator(2) });
        const [query, key, value] = attention.project
            .forward(x)
            .reshape([2, 5, 3, 3, 4])
            .unbind(2)
            .map((part) => part.transpose(1, 2)) as [Tensor, Tensor, Tensor];
        const seen = scaledDotProductAttention(query, key, value, { isCausal: true });
        const expected = attention.join.forward(seen.transpose(1, 2).reshape([2, 5, 12]));
        assert.ok(attention.forward(x).sub(expected).abs().max().item() < 1e-6);
    });
});
