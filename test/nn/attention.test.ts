import assert from 'node:assert/strict';

import {
    Generator,
    gradcheck,
    nn,
    noGrad,
    ones,
    randn,
    scaledDotProductAttention,
    tensor,
    zeros,
} from '../../lib/index.js';
import { assertClose, checkLayer, goldenOf } from './sequence_golden.js';

/** Layers as scripts/reference/make_sequence_golden.py makes them in PyTorch. */
const cases: Record<string, { layer: nn.MultiheadAttention; averageAttnWeights?: boolean }> = {
    attention: { layer: new nn.MultiheadAttention(6, 2) },
    attention_cross: {
        layer: new nn.MultiheadAttention(6, 3, { batchFirst: true, kdim: 5, vdim: 4 }),
        averageAttnWeights: false,
    },
    attention_padded: { layer: new nn.MultiheadAttention(6, 2, { batchFirst: true }) },
    attention_heads_mask: { layer: new nn.MultiheadAttention(6, 2, { batchFirst: true, bias: false }) },
    attention_alone: { layer: new nn.MultiheadAttention(6, 2) },
};

describe('attention', () => {
    for (const [name, { layer, averageAttnWeights = true }] of Object.entries(cases)) {
        it(`${name}: output, weights and gradients are PyTorch's`, () =>
            checkLayer(name, layer, (inputs) => {
                const [attnMask, keyPaddingMask] = [inputs.get('attn_mask'), inputs.get('key_padding_mask')];
                const [y, weights] = layer.forward(
                    inputs.get('query')!,
                    inputs.get('key'),
                    inputs.get('value'),
                    {
                        ...(attnMask ? { attnMask } : {}),
                        ...(keyPaddingMask ? { keyPaddingMask } : {}),
                        averageAttnWeights,
                    },
                );
                return { y, weights };
            }));
    }

    it("scaledDotProductAttention gives PyTorch's values, zeros for a query without keys", async () => {
        const golden = await goldenOf('sdpa');
        const [q, k, v] = ['q', 'k', 'v'].map((name) => golden.get(name)!);
        const options = { plain: {}, causal: { isCausal: true }, scaled: { scale: 2 } };
        for (const [name, given] of Object.entries(options))
            assertClose(scaledDotProductAttention(q, k, v, given), golden.get(name)!, name);
        for (const name of ['bool', 'float']) {
            const attnMask = golden.get(`${name}/mask`)!;
            assertClose(scaledDotProductAttention(q, k, v, { attnMask }), golden.get(name)!, name);
        }
        assert.equal(golden.get('bool')!.select(0, 0).select(1, 1).abs().sum().item(), 0);
    });

    it('has the gradients of finite differences, of a mask and beside masked rows, too', () => {
        const generator = new Generator(5);
        const make = (...shape: number[]) =>
            randn(shape, { dtype: 'float64', generator, requiresGrad: true });
        const [q, k, v, bias] = [make(1, 3, 2), make(1, 4, 2), make(1, 4, 2), make(3, 4)];
        const attend = scaledDotProductAttention;
        gradcheck((a, b, c, attnMask) => attend(a, b, c, { attnMask }), [q, k, v, bias]);
        const attnMask = tensor([
            [true, false, true, false],
            [false, false, false, false],
            [true, true, true, true],
        ]);
        gradcheck((a, b, c) => attend(a, b, c, { attnMask }), [q, k, v]);
        const layer = new nn.MultiheadAttention(4, 2, { dtype: 'float64', generator });
        gradcheck((x) => layer.forward(x, x, x, { isCausal: true })[0], [make(3, 1, 4)]);
    });

    it('is causal as the mask says', () => {
        const layer = new nn.MultiheadAttention(8, 2, { batchFirst: true });
        const x = randn([2, 4, 8]);
        const attnMask = ones([4, 4]).triu(1).ne(0);
        const [masked, weights] = layer.forward(x, x, x, { attnMask });
        const [causal, same] = layer.forward(x, x, x, { isCausal: true });
        assert.deepEqual(causal.toArray(), masked.toArray());
        assert.deepEqual(same?.toArray(), weights?.toArray());
        assert.equal(weights?.triu(1).abs().sum().item(), 0);
        // The first positions know nothing of later ones.
        const other = noGrad(() => x.clone());
        noGrad(() => other.select(1, 3).zero_());
        const changed = layer.forward(other, other, other, { isCausal: true })[0];
        assert.deepEqual(changed.slice(1, 0, 3).toArray(), causal.slice(1, 0, 3).toArray());
    });

    it('drops weights in training alone, and gives none where they are not wanted', () => {
        const layer = new nn.MultiheadAttention(8, 2, { dropout: 0.5, generator: new Generator(2) });
        const x = randn([6, 3, 8]);
        const [, weights] = layer.forward(x, x, x, { averageAttnWeights: false });
        const dropped = weights!.eq(0).sum().item() / weights!.size;
        assert.ok(dropped > 0.3 && dropped < 0.7, `dropped ${dropped}`);
        layer.eval();
        const [y, none] = layer.forward(x, x, x, { needWeights: false });
        assert.equal(none, null);
        assert.deepEqual(y.toArray(), layer.forward(x)[0].toArray());
    });

    it('chains in a Sequential, is saved as JSON', () => {
        const model = new nn.Sequential(
            new nn.MultiheadAttention(6, 3, { batchFirst: true, bias: false }),
            new nn.Linear(6, 2),
        );
        const copy = nn.fromConfig(JSON.parse(JSON.stringify(nn.toConfig(model))));
        copy.loadStateDict(model.stateDict());
        const x = randn([2, 5, 6]);
        assert.deepEqual(copy.forward(x).toArray(), model.forward(x).toArray());
    });

    it('works in low precision', () => {
        const x = randn([2, 4, 8]).to('float16');
        const attnMask = ones([4, 4]).tril().ne(0);
        const y = scaledDotProductAttention(x, x, x, { attnMask });
        assert.equal(y.dtype, 'float16');
        const wide = x.to('float32');
        const away = y.to('float32').sub(scaledDotProductAttention(wide, wide, wide, { attnMask }));
        assert.ok(away.abs().max().item() < 5e-3);
    });

    it('says what does not fit', () => {
        const layer = new nn.MultiheadAttention(6, 2, { batchFirst: true });
        const x = zeros([2, 5, 6]);
        const fails = (call: () => unknown, message: RegExp): void => assert.throws(call, message);
        fails(() => new nn.MultiheadAttention(6, 4), /4 heads do not divide embedDim 6/);
        fails(
            () => new nn.MultiheadAttention(6, 2, { dropout: 1.5 }),
            /dropout must be in \[0, 1\], got 1.5/,
        );
        fails(
            () => layer.forward(zeros([2, 5, 4])),
            /MultiheadAttention: expected a query \[N, L, 6\] or \[L, 6\], got \[2, 5, 4\]; its last size is embedDim/,
        );
        fails(
            () => layer.forward(x, zeros([3, 5, 6])),
            /expected a batch of 2 as the query \[2, 5, 6\] has, got \[3, 5, 6\]; inputs are \[batch, length, size\]/,
        );
        fails(
            () => layer.forward(x, x, zeros([2, 4, 6])),
            /expected as many values as keys \[2, 5, 6\], got \[2, 4, 6\]/,
        );
        fails(
            () => layer.forward(x, zeros([5, 6])),
            /expected a key of as many dimensions as the query \[2, 5, 6\]/,
        );
        fails(
            () => layer.forward(x, x, x, { keyPaddingMask: zeros([5, 2]).ne(0) }),
            /expected keyPaddingMask \[2, 5\], got \[5, 2\]; there are 5 queries and 5 keys/,
        );
        fails(
            () => layer.forward(x, x, x, { attnMask: zeros([5, 5], { dtype: 'int32' }) }),
            /attnMask \[5, 5\] or \[4, 5, 5\], got \[5, 5\]; it must be bool .* got int32/,
        );
        const attend = scaledDotProductAttention;
        fails(
            () => attend(x, zeros([2, 5, 4]), x),
            /vectors of one size: query \[2, 5, 6\], key \[2, 5, 4\]/,
        );
        fails(() => attend(x, x, zeros([2, 4, 6])), /as many values as keys: .* value \[2, 4, 6\]/);
        fails(() => attend(x, x, x, { attnMask: zeros([4, 5]) }), /attnMask \[4, 5\] does not broadcast to/);
        fails(
            () => attend(x, x, x, { attnMask: zeros([5, 5]), isCausal: true }),
            /isCausal is a mask of its own/,
        );
        fails(() => attend(x, x.to('float64'), x), /dtypes differ: the query is float32, the key float64/);
        fails(() => attend(x, x, x, { dropoutP: 2 }), /dropoutP must lie in \[0, 1\], got 2/);
    });
});
