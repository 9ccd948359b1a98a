import assert from 'node:assert/strict';
import {
    autocast,
    capture,
    CaptureMismatchError,
    full,
    manualSeed,
    nn,
    ones,
    optim,
    stack,
    type Tensor,
} from '../../lib/index.js';
import { cnnWithDropout, setup, batch, stateOf } from '../support/captured_setup.js';

describe('capture with validate', () => {
    it('finds nothing wrong with a sound step, and gives its bits', () => {
        for (const make of [
            (p: Tensor[]) => new optim.Adam(p),
            (p: Tensor[]) => new optim.SGD(p, { lr: 0.1, momentum: 0.9, dampening: 0.5 }),
        ]) {
            manualSeed(1);
            const batches = Array.from({ length: 5 }, () => batch(8, [1, 8, 8]));
            const runs = [0, 3, true].map((validate) => {
                const made = setup(cnnWithDropout, make);
                const run = capture(made.step, { validate, fuse: false });
                manualSeed(5);
                return { losses: batches.map(([x, y]) => run(x, y).item()), state: stateOf(made) };
            });
            assert.deepEqual(runs[1], runs[0]);
            assert.deepEqual(runs[2], runs[0]);
        }
    });

    it('takes rounding of fused calls for what it is, also where an optimizer amplifies it', () => {
        manualSeed(2);
        const made = setup(
            () =>
                new nn.Sequential(
                    new nn.Conv2d(1, 6, 3),
                    new nn.BatchNorm2d(6),
                    new nn.ReLU(),
                    new nn.MaxPool2d(2),
                    new nn.Flatten(),
                    new nn.Linear(6 * 9, 10),
                ),
            (p: Tensor[]) => new optim.Adam(p, { lr: 0.01 }),
        );
        const run = capture(made.step, { validate: true });
        for (let i = 0; i < 12; i++) run(...batch(8, [1, 8, 8]));
        const [x, y] = batch(8, [1, 8, 8]);
        assert.ok(run.profile(1, x, y).some(({ op }) => op.startsWith('batch_norm')));
    });

    it('measures what is computed by way of bfloat16 by the rounding of that', () => {
        manualSeed(1);
        const model = new nn.Sequential(
            new nn.Conv2d(1, 16, 3, { padding: 1 }),
            new nn.BatchNorm2d(16),
            new nn.ReLU(),
            new nn.MaxPool2d(2),
            new nn.Conv2d(16, 16, 3, { padding: 1 }),
            new nn.BatchNorm2d(16),
            new nn.ReLU(),
            new nn.MaxPool2d(2),
            new nn.Flatten(),
            new nn.Linear(16 * 16, 10),
        );
        const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
        const run = capture(
            (x: Tensor, y: Tensor) => {
                optimizer.zeroGrad();
                const loss = autocast('bfloat16', () => nn.crossEntropy(model.forward(x), y));
                loss.backward();
                optimizer.step();
                return loss;
            },
            { validate: true, gradients: false },
        );
        for (let i = 0; i < 3; i++) run(...batch(16, [1, 16, 16])).dispose();
        assert.equal(run.statistics.replays, 3);
    });

    it('finds a number that the step took from JavaScript', () => {
        let scale = 1;
        const run = capture((x: Tensor) => x.mul(scale), { validate: true });
        const x = ones([3]);
        assert.deepEqual(run(x).toArray(), [1, 1, 1]);
        scale = 1.5;
        assert.throws(
            () => run(x),
            (error) =>
                error instanceof CaptureMismatchError && /result 0 .* by up to 0\.500/.test(error.message),
        );
    });

    it('leaves the state of the step itself where they disagree', () => {
        const weight = ones([2]);
        let rate = 1;
        const run = capture(
            (x: Tensor) => {
                weight.sub_(x.mul(rate));
                return weight;
            },
            { validate: true },
        );
        run(ones([2]));
        rate = 10;
        assert.throws(() => run(ones([2])), /result 0/);
        assert.deepEqual(weight.toArray(), [-10, -10]);
    });

    it('checks the steps of a run as it checks calls', async () => {
        manualSeed(1);
        const batches = Array.from({ length: 5 }, () => batch(8, [1, 8, 8]));
        const xs = stack(batches.map(([x]) => x));
        const ys = stack(batches.map(([, y]) => y));
        const runs = [];
        for (const validate of [0, 3, true]) {
            const made = setup(cnnWithDropout, (p: Tensor[]) => new optim.Adam(p));
            const step = capture(made.step, { validate, fuse: false });
            manualSeed(5);
            const { result, steps } = await step.run(5, [xs, ys], { chunk: 2 });
            runs.push({ losses: result.toArray(), steps, state: stateOf(made) });
        }
        assert.deepEqual(runs[1], runs[0]);
        assert.deepEqual(runs[2], runs[0]);

        let scale = 0;
        const changing = capture((x: Tensor) => x.mul(++scale), { validate: true });
        await assert.rejects(changing.run(3, [ones([3, 2])]), CaptureMismatchError);
        const weight = ones([2]);
        const same = capture((x: Tensor) => weight.add_(x), { validate: true });
        const { result } = await same.run(2, [ones([2, 2])]);
        assert.deepEqual(result.toArray(), [
            [2, 2],
            [3, 3],
        ]);
        assert.deepEqual(weight.toArray(), [3, 3]);
    });

    it('takes gradients that steps add up for what they are, from none on', async () => {
        const sums: unknown[] = [];
        for (const validate of [0, 1, true]) {
            for (const isAsync of [false, true]) {
                manualSeed(1);
                const layer = new nn.Linear(3, 2);
                const step = capture(
                    (x: Tensor) => {
                        const y = layer.forward(x).square().sum();
                        y.backward();
                        return y;
                    },
                    { validate },
                );
                for (let i = 1; i <= 4; i++) {
                    const x = full([1, 3], i);
                    if (isAsync) await step.async(x);
                    else step(x);
                }
                // One without a gradient from before, one that adds to it.
                assert.equal(step.statistics.captures, 2);
                sums.push(layer.parameters().map(({ grad }) => grad?.toArray()));
            }
        }
        manualSeed(1);
        const layer = new nn.Linear(3, 2);
        for (let i = 1; i <= 4; i++)
            layer
                .forward(full([1, 3], i))
                .square()
                .sum()
                .backward();
        for (const sum of sums)
            assert.deepEqual(
                sum,
                layer.parameters().map(({ grad }) => grad?.toArray()),
            );
    });

    it('refuses other options', () => {
        assert.throws(
            () => capture((x: Tensor) => x, { validate: -1 }),
            /validate must be a boolean or a count/,
        );
    });
});
