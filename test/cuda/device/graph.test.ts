import assert from 'node:assert/strict';
import {
    capture,
    captureModels,
    cuda,
    data,
    emptyCache,
    manualSeed,
    memory,
    nn,
    optim,
    randint,
    randn,
    scope,
    setDefaultDevice,
    tensor,
    train,
    type CapturedStep,
    type Device,
    type Tensor,
} from '../../../lib/index.js';
import { collectGarbage } from '../../support/garbage.js';
import { isSimulated } from '../../support/simulator.js';
import { asked } from '../../support/work_counts.js';

type Step = (x: Tensor, y: Tensor) => Tensor;

interface Network {
    readonly name: string;
    readonly sample: readonly number[];
    readonly build: () => { model: nn.Sequential; optimizer: optim.Optimizer; afterStep?: () => void };
}

const mlp = (): nn.Sequential =>
    new nn.Sequential(new nn.Linear(20, 32), new nn.ReLU(), new nn.Dropout(0.2), new nn.Linear(32, 4));

const cnn = (): nn.Sequential =>
    new nn.Sequential(
        new nn.Conv2d(1, 3, 3, { padding: 1 }),
        new nn.BatchNorm2d(3),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Flatten(),
        new nn.Linear(3 * 9, 4),
    );

const networks: readonly Network[] = [
    {
        name: 'MLP with dropout, Adam and a schedule',
        sample: [20],
        build: () => {
            const model = mlp();
            const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 });
            const schedule = new optim.CosineAnnealingLR(optimizer, { tMax: 20 });
            const afterStep = (): void => {
                schedule.step();
            };
            return { model, optimizer, afterStep };
        },
    },
    {
        name: 'CNN with batch norm, SGD with momentum',
        sample: [1, 6, 6],
        build: () => {
            const model = cnn();
            return { model, optimizer: new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 }) };
        },
    },
];

function stepOf({ build }: Network): { step: Step; model: nn.Sequential } {
    manualSeed(5);
    const { model, optimizer, afterStep } = build();
    const step: Step = (x, y) => {
        optimizer.zeroGrad();
        const loss = nn.crossEntropy(model.forward(x), y);
        loss.backward();
        optimizer.step();
        afterStep?.();
        return loss;
    };
    return { step, model };
}

const weightsOf = (model: nn.Sequential): unknown => [...model.stateDict().values()].map((x) => x.toArray());

const executions = <In extends Tensor[], Out>({ statistics }: CapturedStep<In, Out>): string[] =>
    statistics.programs.map(({ execution }) => execution);

describe('captured steps as graphs', () => {
    let former: Device = 'cpu';
    before(() => (former = setDefaultDevice('cuda')));
    after(() => setDefaultDevice(former));

    const steps = 12;
    function batches(sample: readonly number[], size = 6): [Tensor, Tensor] {
        manualSeed(1);
        return [randn([steps, size, ...sample]), randint(0, 4, [steps, size])];
    }

    for (const network of networks) {
        it(`have the bits of the same program call by call: ${network.name}`, async () => {
            const [xs, ys] = batches(network.sample);
            const byGraph = stepOf(network);
            const run = capture(byGraph.step);
            const { result } = await run.run(steps, [xs, ys], { chunk: 5 });
            assert.deepEqual(executions(run), ['graph']);
            // A profile runs call by call.
            const byCalls = stepOf(network);
            const single = capture(byCalls.step);
            const losses: number[] = [];
            for (let i = 0; i < steps; i++) {
                const [x, y] = [xs.select(0, i), ys.select(0, i)];
                scope(() => void single.profile(1, x, y));
            }
            assert.deepEqual(weightsOf(byGraph.model), weightsOf(byCalls.model));
            const alone = stepOf(network);
            const each = capture(alone.step);
            for (let i = 0; i < steps; i++) losses.push(each(xs.select(0, i), ys.select(0, i)).item());
            assert.deepEqual(result.toArray(), losses);
            assert.deepEqual(weightsOf(alone.model), weightsOf(byCalls.model));
        });
    }

    it('wait for nothing between the steps of a run, and get their numbers in one copy', async () => {
        const many = 50;
        const network = networks[0];
        manualSeed(1);
        const [xs, ys] = [randn([many, 6, 20]), randint(0, 4, [many, 6])];
        const run = capture(stepOf(network).step);
        const first = [xs.slice(0, 0, 2), ys.slice(0, 0, 2)] as [Tensor, Tensor];
        // The first step goes call by call, the second is recorded; the numbers of 50 need room that stays.
        await run.run(2, first, { chunk: 2 });
        await run.run(many, [xs, ys], { chunk: many });
        const one = await asked(() => run.run(2, first, { chunk: 2 }));
        const all = await asked(() => run.run(many, [xs, ys], { chunk: many }));
        assert.deepEqual(
            [one, all].map(({ hostWaits, copiesFromHost, copiesToHost, graphLaunches }) => ({
                hostWaits,
                copiesFromHost,
                copiesToHost,
                graphLaunches,
            })),
            [2, many].map((graphLaunches) => ({
                hostWaits: 1,
                copiesFromHost: 1,
                copiesToHost: 0,
                graphLaunches,
            })),
        );
        assert.equal(all.launches, one.launches);
    });

    it('send the numbers of very many steps in parts', async () => {
        const many = 4500;
        const xs = randn([many, 3]);
        const totals = async (chunk: number): Promise<unknown> => {
            manualSeed(9);
            const run = capture((x: Tensor) => x.dropout(0.5).sum());
            const { result } = await run.run(many, [xs], { chunk });
            assert.deepEqual(executions(run), ['graph']);
            return result.toArray();
        };
        assert.deepEqual(await totals(many), await totals(100));
    });

    it('are made for each batch size', async () => {
        const run = capture(stepOf(networks[0]).step);
        for (const size of [6, 3, 6, 3]) {
            const [xs, ys] = batches([20], size);
            await run.run(steps, [xs, ys]);
        }
        assert.deepEqual(executions(run), ['graph', 'graph']);
    });

    it('leave results that are inputs, views of them, and parameters', async () => {
        const weight = randn([4]);
        const run = capture((x: Tensor) => ({ x, row: x.select(0, 1), weight, sum: x.add(weight) }));
        const xs = randn([steps, 2, 4]);
        const { result } = await run.run(steps, [xs]);
        assert.deepEqual(executions(run), ['graph']);
        assert.deepEqual(result.x.toArray(), xs.toArray());
        assert.deepEqual(result.row.toArray(), xs.select(1, 1).toArray());
        assert.deepEqual(result.weight.select(0, steps - 1).toArray(), weight.toArray());
        assert.deepEqual(result.sum.toArray(), xs.add(weight).toArray());
    });

    it('take inputs that do not lie row by row, and go call by call where they are scattered', async () => {
        const run = capture((x: Tensor) => x.mul(2));
        const xs = randn([steps, 3, 5]);
        const { result } = await run.run(steps, [xs.transpose(1, 2)]);
        assert.deepEqual(result.toArray(), xs.transpose(1, 2).mul(2).toArray());
        assert.deepEqual(executions(run), ['graph']);
        const wide = randn([steps, 3, 20_000]).slice(2, 0, 1);
        const far = await run.run(steps, [wide]);
        assert.deepEqual(far.result.toArray(), wide.mul(2).toArray());
        assert.match(executions(run)[0], /calls, since the elements of input 0 lie far apart/);
    });

    it('find a wrong label in the middle, and go on', async () => {
        const { step } = stepOf(networks[0]);
        const run = capture(step);
        const [xs, ys] = batches([20]);
        await run.run(steps, [xs, ys]);
        const wrong = ys.clone();
        wrong.select(0, 7).copy_(tensor([0, 1, 9, 3, 0, 1], { dtype: ys.dtype }));
        await assert.rejects(
            run.run(steps, [xs, wrong], { chunk: steps }),
            /label 9 at row 2 is outside \[0, 4\).*in one of 12 steps/,
        );
        const { result } = await run.run(steps, [xs, ys]);
        assert.ok(Number.isFinite(result.sum().item()));
        assert.deepEqual(executions(run), ['graph']);
    });

    it('end between two chunks when a signal says so', async () => {
        const run = capture(stepOf(networks[0]).step);
        const [xs, ys] = batches([20]);
        const control = new AbortController();
        const { steps: done } = await run.run(steps, [xs, ys], {
            chunk: 4,
            signal: control.signal,
            onProgress: (count) => {
                if (count === 8) control.abort();
            },
        });
        assert.equal(done, 8);
        assert.deepEqual(executions(run), ['graph']);
    });

    it('run while JavaScript uses the same queue', async () => {
        const [xs, ys] = batches([20]);
        const quiet = stepOf(networks[0]);
        const expected = (await capture(quiet.step).run(steps, [xs, ys], { chunk: 3 })).result;
        const busy = stepOf(networks[0]);
        const run = capture(busy.step);
        const pending = run.run(steps, [xs, ys], { chunk: 3 });
        let others = 0;
        let isDone = false;
        const watched = pending.finally(() => (isDone = true));
        while (!isDone) {
            others +=
                scope(() =>
                    randn([64, 64])
                        .matmul(randn([64, 64]))
                        .abs()
                        .sum()
                        .item(),
                ) > 0
                    ? 1
                    : 0;
            await new Promise(setImmediate);
        }
        // Numbers of the default generator went elsewhere, but those of the run were taken when it began.
        assert.equal((await watched).result.shape[0], steps);
        assert.deepEqual(expected.shape, [steps]);
        assert.ok(others > 0);
        assert.deepEqual(executions(run), ['graph']);
    });

    it('of several models are put together, with the bits of each alone', async () => {
        const [xs, ys] = batches([20]);
        const rates = [0.05, 0.02, 0.01];
        const stepAt = (lr: number): { step: Step; model: nn.Sequential } => {
            const { model } = networks[0].build();
            const optimizer = new optim.Adam(model.parameters(), { lr });
            return {
                model,
                step: (x, y) => {
                    optimizer.zeroGrad();
                    const loss = nn.crossEntropy(model.forward(x), y);
                    loss.backward();
                    optimizer.step();
                    return loss;
                },
            };
        };
        const eachAlone: unknown[] = [];
        for (const lr of rates) {
            manualSeed(8);
            const { step, model } = stepAt(lr);
            model.eval();
            await capture(step).run(steps, [xs, ys], { chunk: 5 });
            eachAlone.push(weightsOf(model));
        }
        const together = rates.map((lr) => {
            manualSeed(8);
            const made = stepAt(lr);
            made.model.eval();
            return made;
        });
        const run = captureModels(together.map(({ step }) => step));
        await run.run(steps, [xs, ys], { chunk: 5 });
        assert.deepEqual(
            run.statistics.programs.map(({ execution }) => execution),
            rates.map(() => 'graph of 3 models'),
        );
        assert.deepEqual(
            together.map(({ model }) => weightsOf(model)),
            eachAlone,
        );
    });

    it('hold no memory once they are gone', async () => {
        const [xs, ys] = batches([20]);
        const held = (): number => {
            emptyCache('cuda');
            return memory('cuda').liveBytes;
        };
        const marks: number[] = [];
        for (let i = 0; i < (isSimulated() ? 24 : 200); i++) {
            const run = capture(stepOf(networks[0]).step);
            const { result } = await run.run(3, [xs.slice(0, 0, 3), ys.slice(0, 0, 3)]);
            result.dispose();
            if (i % 4 === 3) {
                await collectGarbage();
                marks.push(held());
            }
        }
        cuda.synchronize();
        const [, second, ...later] = marks;
        const most = Math.max(...later);
        // Each graph holds 100 KiB of the device: those of the later rounds on the simulator 1.6 MiB.
        assert.ok(most <= second + (512 << 10), JSON.stringify(marks));
    });

    it('run the steps of the Trainer, and its history says so', async () => {
        manualSeed(2);
        const { model, optimizer } = networks[0].build();
        const x = randn([48, 20]);
        const y = randint(0, 4, [48]);
        const loader = new data.DataLoader(new data.TensorDataset(x, y), { batchSize: 6, shuffle: true });
        const trainer = new train.Trainer({ model, optimizer, loss: nn.crossEntropy });
        const { execution, steps: done } = await trainer.fit(loader, { epochs: 3 });
        assert.deepEqual(execution, { mode: 'captured', program: 'graph' });
        assert.equal(done, 24);
        // 20, 20 and 8 samples: the last one's program runs once.
        const uneven = new data.DataLoader(new data.TensorDataset(x, y), { batchSize: 20 });
        assert.deepEqual((await trainer.fit(uneven, { epochs: 1 })).execution, {
            mode: 'captured',
            program: 'graph',
        });
    });
});
