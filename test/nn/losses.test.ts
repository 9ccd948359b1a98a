import assert from 'node:assert/strict';
import { nn, tensor } from '../../lib/index.js';

describe('crossEntropy', () => {
    it('takes labels of every integer dtype', () => {
        const x = tensor([[1, 2, 4]], { requiresGrad: true });
        for (const dtype of ['int64', 'int32', 'uint8'] as const)
            assert.ok(Math.abs(nn.crossEntropy(x, tensor([2], { dtype })).item() - 0.1698) < 1e-4);
    });

    it('takes one-hot rows of any dtype', () => {
        const x = tensor([[1, 2, 4]]);
        const expected = nn.crossEntropy(x, tensor([2], { dtype: 'int64' })).item();
        for (const dtype of ['float32', 'float64', 'uint8', 'bool'] as const)
            assert.ok(Math.abs(nn.crossEntropy(x, tensor([[0, 0, 1]], { dtype })).item() - expected) < 1e-6);
    });

    it('says what is wrong with its arguments', () => {
        const x = tensor([[1, 2, 4]]);
        const label = tensor([0], { dtype: 'int64' });
        assert.throws(() => nn.crossEntropy(x, tensor([0, 1], { dtype: 'int64' })), /labels must be \[1\]/);
        assert.throws(() => nn.crossEntropy(x, tensor([0])), /labels must be integers, got float32/);
        assert.throws(() => nn.crossEntropy(x, tensor([3], { dtype: 'int64' })), /label 3.*outside \[0, 3\)/);
        assert.throws(() => nn.crossEntropy(x, label, { labelSmoothing: 2 }), /in \[0, 1\], got 2/);
        assert.throws(() => nn.crossEntropy(x, label, { weight: tensor([1]) }), /float tensor \[3\].*\[1\]/);
        assert.throws(() => nn.crossEntropy(x.to('int32'), label), /needs a float dtype/);
        const wrong = 'average' as 'mean';
        assert.throws(() => nn.crossEntropy(x, label, { reduction: wrong }), /reduction must be/);
    });
});
