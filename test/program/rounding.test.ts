import assert from 'node:assert/strict';
import { full, tensor, zeros, type DType } from '../../lib/index.js';
import { roundingDifference } from '../../lib/program/rounding.js';

describe('roundingDifference', () => {
    const exact = tensor([100, -1, 0]);

    it('lets pass what is small beside the largest element', () => {
        assert.equal(
            roundingDifference('result', [{ exact, fused: tensor([100, -1.005, 0.001]) }]),
            undefined,
        );
    });

    it('names the tensor that is off by more', () => {
        const tensors = [
            { exact, fused: exact },
            { exact, fused: tensor([100, -1.02, 0]) },
        ];
        assert.equal(roundingDifference('result', tensors), 'result 1 of shape [3] differs by up to 0.0200');
        assert.match(
            roundingDifference('result', [{ exact, fused: tensor([NaN, -1, 0]) }]) ?? '',
            /differs by up to Infinity/,
        );
    });

    it('wants the same integers', () => {
        const [a, b] = [tensor([1000000, 1], { dtype: 'int32' }), tensor([1000001, 1], { dtype: 'int32' })];
        assert.match(roundingDifference('result', [{ exact: a, fused: b }]) ?? '', /by up to 1\.00/);
        assert.equal(roundingDifference('result', [{ exact: a, fused: a }]), undefined);
    });

    it('measures gradients by the largest of all, where told', () => {
        const noise = [
            { exact, fused: exact },
            { exact: tensor([1e-8]), fused: tensor([-1e-8]) },
        ];
        assert.equal(roundingDifference('gradient', noise, { together: true }), undefined);
        assert.match(roundingDifference('gradient', noise) ?? '', /gradient 1/);
    });

    it('lets what is made of gradients be off by more, since masks may flip', () => {
        const before = full([16, 16], 1);
        const off = (value: number): string | undefined =>
            roundingDifference('tensor', [
                { exact: full([16, 16], 1), fused: full([16, 16], value), before },
            ]);
        assert.equal(off(1.0005), undefined);
        assert.match(off(1.005) ?? '', /tensor 0 of shape \[16, 16\]/);
        const results = [{ exact: full([16, 16], 1), fused: full([16, 16], 1.0005) }];
        assert.match(roundingDifference('result', results) ?? '', /result 0/);
    });

    it('allows what the coarsest dtype on the way costs', () => {
        const off = (dtypes: readonly DType[]): string | undefined =>
            roundingDifference('result', [{ exact: full([4], 1), fused: full([4], 1.01) }], { dtypes });
        assert.match(off(['float32', 'int32']) ?? '', /result 0/);
        assert.equal(off(['float32', 'bfloat16']), undefined);
    });

    it('lets vectors be off by their move, matrices in a few elements only', () => {
        const off = (shape: number[], value: number): string | undefined =>
            roundingDifference('tensor', [
                { exact: full(shape, 0.01), fused: full(shape, value), before: zeros(shape) },
            ]);
        assert.equal(off([64], -0.01), undefined);
        assert.match(off([64], -0.04) ?? '', /tensor 0 of shape \[64\]/);
        assert.match(off([8, 8], -0.01) ?? '', /tensor 0 of shape \[8, 8\]/);
    });
});
