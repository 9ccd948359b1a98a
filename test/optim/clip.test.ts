import assert from 'node:assert/strict';
import { nn, ones, optim, scope, tensor, zeros } from '../../lib/index.js';

function withGradient(values: number[]): nn.Parameter {
    const parameter = new nn.Parameter(zeros([values.length]));
    parameter.grad = tensor(values);
    return parameter;
}

describe('clipping', () => {
    it('leaves parameters without a gradient alone and takes empty ones', () => {
        const [some, none, empty] = [withGradient([3, 4]), new nn.Parameter(ones([2])), withGradient([])];
        const norm = optim.clipGradNorm([some, none, empty], 1, { order: Infinity });
        assert.equal(norm.item(), 4);
        assert.equal(none.grad, null);
        assert.equal(optim.clipGradNorm([none], 1).item(), 0);
    });

    it('takes one parameter, whose gradient it clips as a whole', () => {
        const parameter = new nn.Parameter(tensor([[3, 4], [0, 0]])); // prettier-ignore
        parameter.square().sum().backward();
        assert.equal(optim.clipGradNorm(parameter, 5).item(), 10);
        const [first] = Array.from(parameter.grad!.dataSync(), Number);
        assert.ok(Math.abs(first - 3) < 1e-5, String(first));
        optim.clipGradValue(parameter, 0.5);
        assert.deepEqual(parameter.grad!.toArray(), [[0.5, 0.5], [0, 0]]); // prettier-ignore
    });

    it('refuses a norm that is not finite before anything is changed, where asked', () => {
        const parameter = withGradient([1, Number.NaN]);
        assert.throws(
            () => optim.clipGradNorm([parameter], 1, { errorIfNonfinite: true }),
            /\[clipGradNorm\] the norm of the gradients is NaN/,
        );
        assert.deepEqual(parameter.grad!.toArray(), [1, Number.NaN]);
        assert.ok(Number.isNaN(optim.clipGradNorm([parameter], 1).item()));
        assert.deepEqual(parameter.grad!.toArray(), [Number.NaN, Number.NaN]);
    });

    it('gives a norm of any positive order, which outlives the work', () => {
        const norm = scope(() => optim.clipGradNorm([withGradient([1, 8])], 100, { order: 1 / 3 }));
        assert.ok(Math.abs(norm.item() - 27) < 1e-4);
    });

    it('keeps NaN when it limits values', () => {
        const parameter = withGradient([Number.NaN, -5, 0.5]);
        optim.clipGradValue(parameter, 1);
        assert.deepEqual(parameter.grad!.toArray(), [Number.NaN, -1, 0.5]);
    });

    it('says what is wrong with its arguments', () => {
        assert.throws(() => optim.clipGradNorm([], -1), /maxNorm must be at least 0, got -1/);
        assert.throws(() => optim.clipGradNorm([], 1, { order: 0 }), /order must be above 0, got 0/);
        assert.throws(() => optim.clipGradValue([], Number.NaN), /limit must be at least 0, got NaN/);
    });
});
