import assert from 'node:assert/strict';
import {
    capture,
    captureModels,
    Generator,
    manualSeed,
    nn,
    optim,
    randint,
    randn,
    setDefaultDevice,
    tensor,
    type Device,
    type Tensor,
} from '../../../lib/index.js';
import type { WorkCounts } from '../../../lib/native/addon.js';
import { asked } from '../../support/work_counts.js';

type Step = (x: Tensor, y: Tensor) => Tensor;

interface Made {
    readonly model: nn.Sequential;
    readonly step: Step;
}

function stepOf(model: nn.Sequential, optimizer: optim.Optimizer): Made {
    const step: Step = (x, y) => {
        optimizer.zeroGrad();
        const loss = nn.crossEntropy(model.forward(x), y);
        loss.backward();
        optimizer.step();
        return loss;
    };
    return { model, step };
}

/** Models that differ in everything that may differ. */
function dense(seed: number): Made {
    manualSeed(seed);
    const model = new nn.Sequential(
        new nn.Linear(20, 36),
        new nn.ReLU(),
        new nn.Dropout(0.1 + 0.1 * seed, { generator: new Generator(100 + seed) }),
        new nn.Linear(36, 4),
    );
    const lr = 1e-2 / (1 + seed);
    return stepOf(model, new optim.AdamW(model.parameters(), { lr, weightDecay: 0.01 * seed }));
}

function convolutional(seed: number): Made {
    manualSeed(seed);
    const model = new nn.Sequential(
        new nn.Conv2d(1, 3, 3, { padding: 1 }),
        new nn.BatchNorm2d(3),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Flatten(),
        new nn.Dropout(0.2 + 0.1 * seed, { generator: new Generator(200 + seed) }),
        new nn.Linear(3 * 9, 4),
    );
    const lr = 0.05 / (1 + seed);
    return stepOf(model, new optim.SGD(model.parameters(), { lr, momentum: 0.9 }));
}

const weights = ({ model }: Made): unknown => [...model.stateDict().values()].map((x) => x.toArray());

describe('several models as one graph', () => {
    const steps = 8;
    const seeds = [0, 1, 2];
    let former: Device = 'cpu';
    let xs: Tensor, ys: Tensor, images: Tensor;
    before(() => {
        former = setDefaultDevice('cuda');
        manualSeed(50);
        xs = randn([steps, 6, 20]);
        ys = randint(0, 4, [steps, 6]);
        images = randn([steps, 6, 1, 6, 6]);
    });
    after(() => setDefaultDevice(former));

    const executions = (train: { statistics: { programs: readonly { execution: string }[] } }): string[] =>
        train.statistics.programs.map(({ execution }) => execution);

    const kinds = [
        ['dense models', dense, () => xs],
        ['convolutions with batch norm', convolutional, () => images],
    ] as const;
    for (const [name, make, inputs] of kinds) {
        it(`has the bits of each of the ${name} alone`, async () => {
            const alone: unknown[] = [];
            for (const seed of seeds) {
                const made = make(seed);
                const { result } = await capture(made.step).run(steps, [inputs(), ys], { chunk: 5 });
                alone.push([result.toArray(), weights(made)]);
            }
            const made = seeds.map((seed) => make(seed));
            const train = captureModels(made.map(({ step }) => step));
            const { results } = await train.run(steps, [inputs(), ys], { chunk: 5 });
            assert.deepEqual(
                executions(train),
                seeds.map(() => 'graph of 3 models'),
            );
            assert.deepEqual(
                results.map((losses, i) => [losses.toArray(), weights(made[i])]),
                alone,
            );
        });
    }

    it('launches as much for all as for one, with one copy and one wait a run', async () => {
        const work = async (count: number): Promise<WorkCounts[]> => {
            const made = Array.from({ length: count }, (_, seed) => dense(seed));
            const train = captureModels(made.map(({ step }) => step));
            const part = [xs.slice(0, 0, 2), ys.slice(0, 0, 2)] as [Tensor, Tensor];
            await train.run(2, part, { chunk: 2 });
            await train.run(steps, [xs, ys], { chunk: steps });
            const short = await asked(() => train.run(2, part, { chunk: 2 }));
            return [short, await asked(() => train.run(steps, [xs, ys], { chunk: steps }))];
        };
        const [one, several] = [await work(1), await work(3)];
        for (const [i, graphLaunches] of [2, steps].entries()) {
            const { hostWaits, copiesFromHost, copiesToHost } = several[i];
            assert.deepEqual([hostWaits, copiesFromHost, copiesToHost], [1, 1, 0]);
            assert.equal(several[i].graphLaunches, graphLaunches);
        }
        // Tensors for the results are filled model by model; what a run itself launches is the end of its steps.
        assert.ok(several[1].launches <= one[1].launches + 2, JSON.stringify([one, several]));
    });

    it('takes inputs of each one’s own, and goes on without those that are dropped', async () => {
        const turned = seeds.map((seed) => xs.roll(seed, 0).contiguous());
        const alone: unknown[] = [];
        for (const seed of [0, 2]) {
            const made = dense(seed);
            const run = capture(made.step);
            await run.run(steps, [turned[seed], ys]);
            await run.run(steps, [turned[seed], ys]);
            alone.push(weights(made));
        }
        const made = seeds.map((seed) => dense(seed));
        const train = captureModels(made.map(({ step }) => step));
        const inputs = turned.map((x): [Tensor, Tensor] => [x, ys]);
        await train.runEach(steps, inputs, { chunk: 4 });
        const dropped = weights(made[1]);
        train.drop(1);
        await train.runEach(steps, [inputs[0], inputs[2]], { chunk: 4 });
        assert.ok(executions(train).every((execution) => execution === 'graph of 2 models'));
        assert.deepEqual([weights(made[0]), weights(made[2])], alone);
        assert.deepEqual(weights(made[1]), dropped);
    });

    it('lets launches that differ stand side by side, and names them', async () => {
        manualSeed(52);
        const rows = randn([400, 20]);
        const columns = rows.transpose(0, 1).contiguous().transpose(0, 1);
        const stepWith = (constant: Tensor) => (x: Tensor) => x.add(constant.sum(0)).sum();
        const constants = [rows, columns, rows.mul(2), columns.mul(3)];
        const expected: unknown[] = [];
        for (const constant of constants) {
            const { result } = await capture(stepWith(constant)).run(steps, [xs]);
            expected.push(result.toArray());
        }
        const train = captureModels(constants.map(stepWith));
        const { results } = await train.run(steps, [xs]);
        assert.deepEqual(
            results.map((sums) => sums.toArray()),
            expected,
        );
        assert.match(executions(train).join(), /^graph of 4 models, apart: fold_columns<float, [^,]+>,/);
    });

    it('finds a wrong label of one model, and goes on', async () => {
        const made = seeds.map((seed) => dense(seed));
        const train = captureModels(made.map(({ step }) => step));
        await train.run(steps, [xs, ys]);
        const wrong = ys.clone();
        wrong.select(0, 5).copy_(tensor([0, 1, 9, 3, 0, 1], { dtype: ys.dtype }));
        const inputs = seeds.map((seed): [Tensor, Tensor] => [xs, seed === 1 ? wrong : ys]);
        await assert.rejects(
            train.runEach(steps, inputs, { chunk: steps }),
            /^Error: \[captureModels\] model 1: \[cross_entropy\] label 9 at row 2 is outside \[0, 4\).*in one of 8 steps/,
        );
        const { results } = await train.run(steps, [xs, ys]);
        assert.ok(results.every((losses) => Number.isFinite(losses.sum().item())));
        train.drop(0);
        await assert.rejects(
            train.runEach(steps, [
                [xs, ys],
                [xs, wrong],
            ]),
            /^Error: \[captureModels\] model 2: /,
        );
    });
});
