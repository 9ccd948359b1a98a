import assert from 'node:assert/strict';
import { batchNorm, nn, ones, rand, tensor, zeros, type Tensor } from '../../lib/index.js';

function assertNear(x: Tensor | null, expected: readonly number[]): void {
    Array.from(x!.dataSync(), Number).forEach((value, i) => {
        assert.ok(Math.abs(value - expected[i]) < 1e-5, `${i}: ${value}, expected ${expected[i]}`);
    });
}

describe('batch norm layers', () => {
    const x = tensor([
        [1, 10],
        [3, 30],
    ]);

    it('normalise by the batch in training and move the running statistics', () => {
        const layer = new nn.BatchNorm1d(2, { momentum: 0.5 });
        assertNear(layer.forward(x), [-1, -1, 1, 1]);
        assertNear(layer.runningMean, [1, 10]);
        assertNear(layer.runningVar, [1.5, 100.5]);
        assert.equal(layer.buffer('num_batches_tracked').item(), 1);
        assert.deepEqual(
            [...layer.stateDict().keys()],
            ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked'],
        );
    });

    it('normalise by the running statistics in evaluation, and leave them alone', () => {
        const layer = new nn.BatchNorm1d(2, { eps: 0 }).eval();
        layer.loadStateDict(
            { running_mean: tensor([1, 10]), running_var: tensor([4, 100]) },
            { strict: false },
        );
        assertNear(layer.forward(x), [0, 0, 1, 2]);
        assertNear(layer.runningMean, [1, 10]);
        assert.equal(layer.buffer('num_batches_tracked').item(), 0);
    });

    it('take the plain mean of all batches for momentum null', () => {
        const layer = new nn.BatchNorm1d(1, { momentum: null });
        layer.forward(tensor([[0], [2]]));
        layer.forward(tensor([[4], [6]]));
        assertNear(layer.runningMean, [3]);
    });

    it('normalise by the batch always without running statistics', () => {
        const layer = new nn.BatchNorm1d(2, { trackRunningStats: false, affine: false }).eval();
        assertNear(layer.forward(x), [-1, -1, 1, 1]);
        assert.equal(layer.stateDict().size, 0);
    });

    it('name themselves and the shapes', () => {
        const model = new nn.Sequential(new nn.BatchNorm2d(3));
        assert.throws(
            () => model.forward(zeros([2, 4, 5, 5])),
            /BatchNorm2d '0': expected \[N, 3, H, W\], got \[2, 4, 5, 5\]; make numFeatures 4/,
        );
        assert.throws(() => model.forward(zeros([2, 3])), /expected \[N, 3, H, W\], got \[2, 3\]/);
        assert.throws(() => new nn.BatchNorm1d(3).forward(zeros([1, 3])), /BatchNorm1d: \[batch_norm\]/);
        assert.deepEqual(new nn.BatchNorm1d(3).forward(ones([2, 3, 4])).shape, [2, 3, 4]);
    });
});

describe('running statistics', () => {
    it('are written like any tensor in place: a graph that saved them notices', () => {
        const [mean, variance] = [zeros([2]), ones([2])];
        const x = ones([2], { requiresGrad: true });
        const y = x.mul(mean).sum();
        batchNorm(rand([4, 2]), null, null, mean, variance, { training: true });
        assert.throws(() => {
            y.backward();
        }, /changed in place since/);
    });

    it('are refused where they share memory or learn', () => {
        const x = rand([4, 2]);
        const expanded = zeros([1]).expand(2);
        assert.throws(
            () => batchNorm(x, null, null, expanded, ones([2]), { training: true }),
            /\[batch_norm\] several elements of the tensor share memory/,
        );
        const learned = ones([2], { requiresGrad: true });
        assert.throws(
            () => batchNorm(x, null, null, zeros([2]), learned, { training: true }),
            /\[batch_norm\] would change, in place, .* requires a gradient/,
        );
    });
});
