import assert from 'node:assert/strict';

import { data, gradcheck, nn, tensor, train } from '../../lib/index.js';

describe('classifier', () => {
    it('starts from numbers that depend on seed, initializer and shapes only', () => {
        const weights = (init: 'he' | 'glorot', seed: number): number[] => {
            const model = train.buildClassifier({ hiddenSizes: [8] });
            train.initializeClassifier(model, init, seed);
            return [...model.stateDict().values()].flatMap((x) => Array.from(x.dataSync(), Number));
        };
        const first = weights('he', 1);
        assert.deepEqual(weights('he', 1), first);
        assert.notDeepEqual(weights('he', 2), first);
        const largest = (values: number[]): number => values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
        assert.ok(Math.abs(largest(weights('glorot', 1).slice(0, 784 * 8)) / Math.sqrt(6 / 792) - 1) < 0.01);
        assert.ok(Math.abs(largest(first.slice(0, 784 * 8)) / Math.sqrt(6 / 784) - 1) < 0.01);
        assert.ok(first.slice(784 * 8, 784 * 8 + 8).every((bias) => bias === 0));
    });

    it('has the layers that were asked for', () => {
        const count = (options: train.ClassifierOptions): number =>
            nn.summary(train.buildClassifier(options), [1, ...(options.inputShape ?? [1, 28, 28])])
                .parameters;
        assert.equal(count({}), 784 * 256 + 256 + 256 * 128 + 128 + 1290);
        assert.equal(count({ architecture: 'cnn', useBatchNorm: true }), 421_834);
        assert.equal(count({ inputShape: [3, 2, 2], classes: 2, hiddenSizes: [] }), 26);
        const types = [
            ...train.buildClassifier({ useBatchNorm: true, activation: 'tanh', dropoutRate: 0.5 }),
        ];
        assert.deepEqual(
            types.slice(0, 5).map((layer) => layer.constructor.name),
            ['Flatten', 'Linear', 'BatchNorm1d', 'Tanh', 'Dropout'],
        );
    });

    it('refuses an even kernel and poolings that leave nothing', () => {
        const build = (options: train.ClassifierOptions) => () =>
            train.buildClassifier({ architecture: 'cnn', ...options });
        assert.throws(build({ kernelSize: 4 }), /kernelSize must be odd, got 4/);
        assert.throws(
            build({ convChannels: [1, 1, 1, 1, 1] }),
            /5 poolings leave nothing of an image of 28 x 28/,
        );
    });

    it('scores as counted by hand, and leaves the mode as it was', async () => {
        // Two classes of one pixel: the logits are 0 and x.
        const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(1, 2));
        model.loadStateDict({ '1.weight': tensor([[0], [1]]), '1.bias': tensor([0, 0]) });
        const set = new data.TensorDataset(tensor([[2], [-1], [3]]), tensor([1, 0, 0], { dtype: 'int32' }));
        const loader = new data.DataLoader(set, { batchSize: 2 });
        const score = await train.scoreClassifier(model, loader, nn.crossEntropy, 2);
        assert.deepEqual([...score.predictions], [1, 0, 1]);
        assert.deepEqual([...score.labels], [1, 0, 0]);
        assert.deepEqual(score.report.confusion, [
            [1, 1],
            [0, 1],
        ]);
        const losses = [Math.log(1 + Math.exp(-2)), Math.log(1 + Math.exp(-1)), Math.log(1 + Math.exp(3))];
        assert.ok(Math.abs(score.loss - losses.reduce((a, b) => a + b, 0) / 3) < 1e-6);
        assert.ok(Math.abs(score.probabilities[1] - 1 / (1 + Math.exp(-2))) < 1e-6);
        assert.equal(model.training, true);
    });

    it('is refused by name where the number of classes is missing or not that of the logits', async () => {
        const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(1, 2));
        const set = new data.TensorDataset(tensor([[2], [-1]]), tensor([1, 0], { dtype: 'int32' }));
        const score = (...classes: number[]): Promise<unknown> =>
            train.scoreClassifier(model, new data.DataLoader(set), nn.crossEntropy, ...(classes as [number]));
        await assert.rejects(
            score(),
            /^RangeError: \[scoreClassifier\] classes must be a positive integer, got undefined$/,
        );
        for (const classes of [1, 3])
            await assert.rejects(
                score(classes),
                new RegExp(
                    String.raw`the model gives logits \[1, 2\], but classes .* says \[1, ${classes}\]$`,
                ),
            );
    });
});

describe('classifier loss', () => {
    it('mse is the squared error of the softmax, finite for huge logits, with the right gradient', () => {
        const loss = train.classifierLoss('mse');
        const labels = tensor([2, 0], { dtype: 'int32' });
        const rows = [
            [1, 2, 4],
            [0.5, -1, 0],
        ];
        const expected = rows.map((row, i) => {
            const total = row.reduce((sum, x) => sum + Math.exp(x), 0);
            const wanted = [2, 0][i];
            return row.reduce((sum, x, c) => sum + (Math.exp(x) / total - Number(c === wanted)) ** 2, 0);
        });
        const logits = tensor(rows, { dtype: 'float64', requiresGrad: true });
        const value = loss(logits, labels).item();
        assert.ok(Math.abs(value - (expected[0] + expected[1]) / 6) < 1e-12);
        assert.ok(gradcheck((x) => loss(x, labels), [logits]));
        assert.ok(
            Number.isFinite(
                loss(
                    tensor([
                        [1e4, 0, -1e4],
                        [1e4, 1e4, 1e4],
                    ]),
                    labels,
                ).item(),
            ),
        );
    });
});
