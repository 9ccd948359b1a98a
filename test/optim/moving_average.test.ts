import assert from 'node:assert/strict';
import { join } from 'node:path';

import {
    capture,
    data,
    Generator,
    manualSeed,
    nn,
    noGrad,
    ones,
    optim,
    randn,
    train,
    type Tensor,
} from '../../lib/index.js';
import { assertSameBits } from '../support/same_bits.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const values = (x: Tensor): number[] => Array.from(x.dataSync(), Number);

describe('optim.ExponentialMovingAverage', () => {
    const folder = useTemporaryFolder();

    it('is the first weights, then (1 - decay) of the way to each next ones', () => {
        const model = new nn.Linear(3, 2, { dtype: 'float64' });
        const average = new optim.ExponentialMovingAverage(model, { decay: 0.9 });
        const before = values(model.weight);
        average.average(() => assert.deepEqual(values(model.weight), before));
        let expected: number[] = [];
        for (let step = 0; step < 5; step++) {
            noGrad(() => model.weight.add_(randn([2, 3], { dtype: 'float64' })));
            const now = values(model.weight);
            expected = step === 0 ? now : expected.map((a, i) => a + (1 - 0.9) * (now[i] - a));
            average.update();
        }
        assert.equal(average.updates, 5);
        const weights = values(model.weight);
        average.average(() => {
            const away = values(model.weight).map((a, i) => Math.abs(a - expected[i]));
            assert.ok(Math.max(...away) < 1e-14);
        });
        assert.deepEqual(values(model.weight), weights);
        average.copyTo();
        assert.notDeepEqual(values(model.weight), weights);
    });

    it('gives the weights back where the body throws, also later', async () => {
        const model = new nn.Linear(2, 2);
        const average = new optim.ExponentialMovingAverage(model);
        average.update();
        noGrad(() => model.weight.add_(1));
        const weights = values(model.weight);
        const fail = (): never => {
            throw new Error('from the body');
        };
        assert.throws(() => average.average(fail), /from the body/);
        assert.deepEqual(values(model.weight), weights);
        const pending = average.average(async () => {
            await Promise.resolve();
            assert.notDeepEqual(values(model.weight), weights);
            fail();
        });
        assert.throws(() => average.average(() => 1), /average\(\) runs already; await it/);
        assert.throws(() => average.update(), /update\(\) inside average\(\)/);
        await assert.rejects(pending, /from the body/);
        assert.deepEqual(values(model.weight), weights);
    });

    it('averages running statistics where it is asked to', () => {
        const model = new nn.BatchNorm1d(2);
        const average = new optim.ExponentialMovingAverage(model, { decay: 0.5, useBuffers: true });
        const mean = model.buffer('running_mean');
        for (const value of [1, 3]) {
            noGrad(() => mean.fill_(value));
            average.update();
        }
        average.average(() => assert.deepEqual(values(mean), [2, 2]));
        assert.deepEqual(values(mean), [3, 3]);
    });

    it('has the same bits in captured steps', () => {
        const [first, second] = [false, true].map((isCaptured) => {
            const model = new nn.Linear(4, 3, { generator: new Generator(1) });
            const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
            const average = new optim.ExponentialMovingAverage(model, { decay: 0.8 });
            const step = (x: Tensor): Tensor => {
                optimizer.zeroGrad();
                const loss = model.forward(x).square().mean();
                loss.backward();
                optimizer.step();
                average.update();
                return loss;
            };
            const run = isCaptured ? capture(step) : step;
            const generator = new Generator(2);
            for (let i = 0; i < 6; i++) run(randn([5, 4], { generator }));
            assert.equal(average.updates, 6);
            average.copyTo();
            return values(model.weight);
        });
        assertSameBits(second, first);
    });

    it('takes its state over, whole or not at all', () => {
        const [model, other] = [new nn.Linear(3, 2), new nn.Linear(3, 2)];
        const average = new optim.ExponentialMovingAverage(model);
        const copy = new optim.ExponentialMovingAverage(other);
        copy.loadStateDict(average.stateDict());
        assert.equal(copy.updates, 0);
        average.update();
        copy.loadStateDict(average.stateDict());
        copy.copyTo();
        assert.deepEqual(values(other.weight), values(model.weight));
        const wrong = { decay: 0.9, updates: 7, averages: new Map([['weight', ones([2, 2])]]) };
        assert.throws(
            () => copy.loadStateDict(wrong),
            /the state does not fit: weight is \[2, 3\], got \[2, 2\]; bias is missing/,
        );
        assert.equal(copy.updates, 1);
    });

    it('refuses what it cannot average', () => {
        const make = (...args: unknown[]): unknown => Reflect.construct(optim.ExponentialMovingAverage, args);
        assert.throws(() => make([ones([2])]), /takes a Module, got .*; pass the model itself/);
        assert.throws(() => make(new nn.Linear(2, 2), { decay: 1 }), /decay must lie in \[0, 1\).*got 1/);
        assert.throws(() => make(new nn.Linear(2, 2), { rate: 0.9 }), /unknown option 'rate'/);
        assert.throws(
            () => make(new nn.Linear(2, 2).to('bfloat16')),
            /weights must be float32 or float64, got weight of bfloat16 \[2, 2\]; keep the model in float32/,
        );
    });

    /** A fit with a model that draws from a generator of its own; interrupted after `stopAt` steps. */
    async function fit(capture: boolean, options: Partial<train.FitOptions>, stopAt = Infinity) {
        manualSeed(3);
        const set = new data.TensorDataset(randn([20, 3, 4]), randn([20, 1]));
        const gru = new nn.GRU(4, 5, {
            numLayers: 2,
            dropout: 0.4,
            batchFirst: true,
            generator: new Generator(8),
        });
        const model = new nn.Sequential(gru, new nn.Flatten(), new nn.Linear(15, 1));
        const average = new optim.ExponentialMovingAverage(model, { decay: 0.7 });
        const optimizer = new optim.Adam(model.parameters(), { lr: 0.05 });
        const trainer = new train.Trainer({ model, optimizer, loss: nn.mseLoss, average, capture });
        const controller = new AbortController();
        let steps = 0;
        const seen: number[][] = [];
        const history = await trainer.fit(new data.DataLoader(set, { batchSize: 8, shuffle: true }), {
            epochs: 2,
            validation: new data.DataLoader(set, { batchSize: 20 }),
            callbacks: [
                {
                    onStepsEnd: (records) => {
                        steps += records.length;
                        if (steps >= stopAt) controller.abort();
                    },
                    onEpochEnd: () => void seen.push(values(gru.weight_hh_l0)),
                },
            ],
            signal: controller.signal,
            ...options,
        });
        const weights = model.parameters().map(values);
        const losses = history.epochs.map(({ validationLoss }) => validationLoss);
        return { weights, losses, seen, set, trainer };
    }

    for (const capture of [false, true]) {
        it(`is what a fit validates and leaves behind, and resumes, ${capture ? 'captured' : 'eager'}`, async () => {
            const whole = await fit(capture, {});
            assert.deepEqual(whole.seen[1], whole.weights[1]);
            assert.notDeepEqual(whole.seen[0], whole.seen[1]);
            const after = await whole.trainer.evaluate(new data.DataLoader(whole.set, { batchSize: 20 }));
            assert.equal(after.loss, whole.losses[1]);
            for (const stopAt of [2, 4]) {
                const path = join(folder(), `${capture}_${stopAt}`);
                const every = { steps: 1 };
                await fit(capture, { checkpoints: new train.CheckpointStore(path, { every }) }, stopAt);
                const checkpoints = new train.CheckpointStore(path, { every });
                const { weights, losses } = await fit(capture, { checkpoints, resume: 'auto' });
                assert.deepEqual(weights, whole.weights);
                assert.deepEqual(losses, whole.losses);
            }
        });
    }
});
