import assert from 'node:assert/strict';
import { capture, nn, tensor, zeros, type Tensor } from '../../lib/index.js';
import { runWrong } from '../ops/sample_checks.js';

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
        assert.throws(
            () => runWrong(() => nn.crossEntropy(x, tensor([3], { dtype: 'int64' }))),
            /label 3.*outside \[0, 3\)/,
        );
        assert.throws(() => nn.crossEntropy(x, label, { labelSmoothing: 2 }), /in \[0, 1\], got 2/);
        assert.throws(() => nn.crossEntropy(x, label, { weight: tensor([1]) }), /float tensor \[3\].*\[1\]/);
        assert.throws(() => nn.crossEntropy(x.to('int32'), label), /needs a float dtype/);
        const wrong = 'average' as 'mean';
        assert.throws(() => nn.crossEntropy(x, label, { reduction: wrong }), /reduction must be/);
    });
});

describe('losses of pairs', () => {
    it('refuse shapes that would broadcast', () => {
        for (const loss of [nn.mseLoss, nn.l1Loss, nn.smoothL1Loss, nn.bceLoss, nn.bceWithLogits])
            assert.throws(
                () => loss(tensor([[0.5]]), tensor([1])),
                /prediction \[1, 1\] and target \[1\] differ/,
            );
        assert.throws(
            () => nn.smoothL1Loss(tensor([1]), tensor([1]), { beta: -1 }),
            /beta must be at least 0/,
        );
        assert.equal(nn.smoothL1Loss(tensor([3]), tensor([1]), { beta: 0 }).item(), 2);
    });

    it('weigh terms and positive targets', () => {
        const [x, y] = [tensor([1, -2]), tensor([1, 0])];
        const terms = nn.bceWithLogits(x, y, { reduction: 'none' }).toArray() as number[];
        const heavy = nn
            .bceWithLogits(x, y, { reduction: 'none', posWeight: tensor(3) })
            .toArray() as number[];
        assert.ok(Math.abs(heavy[0] - 3 * terms[0]) < 1e-6);
        assert.equal(heavy[1], terms[1]);
        const p = x.sigmoid();
        const weighted = nn.bceLoss(p, y, { weight: tensor([2, 0]), reduction: 'sum' }).item();
        assert.ok(Math.abs(weighted - 2 * terms[0]) < 1e-6);
    });

    /** Elsewhere nobody waits for the values. */
    const cpu = (values: number[]): Tensor => tensor(values, { device: 'cpu' });

    it('refuse probabilities and targets outside [0, 1], as PyTorch does', () => {
        const y = cpu([0, 1]);
        for (const value of [-0.5, 1.5, NaN, Infinity])
            assert.throws(
                () => nn.bceLoss(cpu([0.5, value]), y),
                new RegExp(
                    `\\[bce_loss\\] probabilities must lie in \\[0, 1\\], got ${value}.*; of scores, take bceWithLogits`,
                ),
            );
        assert.throws(() => nn.bceLoss(cpu([0, 1]), cpu([2, 0])), /targets must lie in \[0, 1\], got 2/);
        assert.equal(nn.bceLoss(cpu([0, 1]), y).item(), 0);
        assert.equal(nn.bceLoss(zeros([0]), zeros([0]), { reduction: 'sum' }).item(), 0);
    });

    it('may be captured; a checked call finds probabilities outside [0, 1]', () => {
        const loss = (x: Tensor, y: Tensor): Tensor => nn.bceLoss(x, y);
        const [x, y] = [cpu([0.25, 0.5]), cpu([0, 1])];
        const wrong = cpu([0.25, 2]);
        const [plain, checked] = [capture(loss), capture(loss, { validate: true })];
        assert.equal(plain(x, y).item(), loss(x, y).item());
        assert.ok(Number.isNaN(plain(wrong, y).item()));
        assert.equal(checked(x, y).item(), loss(x, y).item());
        assert.throws(() => checked(wrong, y), /probabilities must lie in \[0, 1\], got 2/);
    });

    it('take integer targets', () => {
        const loss = nn.bceWithLogits(tensor([0]), tensor([1], { dtype: 'int64' }));
        assert.ok(Math.abs(loss.item() - Math.LN2) < 1e-6);
    });
});

describe('nllLoss', () => {
    it('is not touched by what an ignored label says', () => {
        const logp = tensor([
            [-Infinity, 0],
            [-1, -0.5],
        ]);
        const labels = tensor([0, 1], { dtype: 'int64' });
        assert.equal(nn.nllLoss(logp, labels, { ignoreIndex: 0 }).item(), 0.5);
    });
});

describe('cross entropy with probabilities', () => {
    it('takes 0 log 0 as 0, forward and backward', () => {
        const x = tensor([[-Infinity, 0, 0]], { requiresGrad: true });
        const loss = nn.crossEntropy(x, tensor([[0, 0.5, 0.5]]));
        assert.ok(Math.abs(loss.item() - Math.log(2)) < 1e-6);
        loss.backward();
        assert.deepEqual(x.grad?.toArray(), [[0, 0, 0]]);
        assert.equal(nn.crossEntropy(tensor([[-Infinity, 0]]), tensor([[0.5, 0.5]])).item(), Infinity);
    });

    it('stays finite for scores however far apart', () => {
        const x = tensor([[1000, -1000]], { requiresGrad: true });
        const loss = nn.crossEntropy(x, tensor([[0, 1]]));
        assert.equal(loss.item(), 2000);
        loss.backward();
        assert.deepEqual(x.grad?.toArray(), [[1, -1]]);
    });
});
