import assert from 'node:assert/strict';
import { data, manualSeed, memory, nn, optim, randint, randn, train, type Tensor } from '../../lib/index.js';

const { DataLoader, Subset, TensorDataset } = data;
const samples = 203;
const batchSize = 4;
const stepsPerEpoch = Math.ceil(samples / batchSize);

function classes(): data.TensorDataset {
    manualSeed(2);
    return new TensorDataset(randn([samples, 6]), randint(0, 3, [samples], { dtype: 'int32' }));
}

function oneHot(): data.TensorDataset {
    const { inputs, targets } = classes();
    return new TensorDataset(inputs, targets.oneHot(3).to('float32'));
}

interface Course {
    readonly records: train.StepRecord[];
    /** Calls of `onStepsEnd`. */
    readonly calls: number;
    readonly history: train.History;
    readonly weights: unknown;
}

interface Changes {
    readonly loss?: train.TrainerOptions['loss'];
    readonly lr?: number;
    readonly signal?: AbortSignal;
    readonly maxSteps?: number;
    readonly onStep?: (record: train.StepRecord) => void;
}

/** Two epochs with a rate that changes from step to step; `together` lets steps run at once. */
async function fit(loader: train.Batches, together: boolean, changes: Changes = {}): Promise<Course> {
    manualSeed(4);
    const model = new nn.Sequential(
        new nn.Linear(6, 8),
        new nn.ReLU(),
        new nn.Dropout(0.1),
        new nn.Linear(8, 3),
    );
    const optimizer = new optim.Adam(model.parameters(), { lr: changes.lr ?? 1e-2 });
    const records: train.StepRecord[] = [];
    let calls = 0;
    const note = (record: train.StepRecord): void => {
        records.push(record);
        changes.onStep?.(record);
    };
    const callback: train.Callback = together
        ? {
              onStepsEnd: (done) => {
                  calls++;
                  done.forEach(note);
              },
          }
        : { onStepEnd: note };
    const trainer = new train.Trainer({
        model,
        optimizer,
        loss: changes.loss ?? nn.crossEntropy,
        schedule: new optim.CosineAnnealingLR(optimizer, { tMax: 2 * stepsPerEpoch }),
        scheduleInterval: 'step',
    });
    const { signal, maxSteps } = changes;
    const history = await trainer.fit(loader, {
        epochs: 2,
        callbacks: [callback],
        ...(signal && { signal }),
        ...(maxSteps !== undefined && { maxSteps }),
    });
    return { records, calls, history, weights: [...model.stateDict().values()].map((x) => x.toArray()) };
}

const shuffled = (set: data.Dataset): data.DataLoader =>
    new DataLoader(set, { batchSize, shuffle: true, seed: 3 });

describe('Trainer that runs steps at once', () => {
    const half = Int32Array.from({ length: 100 }, (_, i) => 199 - 2 * i);
    const squared = (outputs: Tensor, targets: Tensor): Tensor => outputs.sub(targets).square().mean();
    const cases: [string, () => data.Dataset, Changes][] = [
        ['classes', classes, {}],
        ['one-hot rows', oneHot, {}],
        ['numbers', () => new TensorDataset(randn([samples, 6]), randn([samples, 3])), { loss: squared }],
        [
            'a part of a part of a set',
            () =>
                new Subset(
                    new Subset(classes(), half),
                    half.slice(0, 50).map((i) => i % 100),
                ),
            {},
        ],
    ];
    for (const [name, makeSet, changes] of cases) {
        it(`gives each step's record and the weights as one by one: ${name}`, async () => {
            const set = makeSet();
            const [together, single] = [
                await fit(shuffled(set), true, changes),
                await fit(shuffled(set), false, changes),
            ];
            assert.deepEqual(together.history.execution, { mode: 'captured' });
            assert.deepEqual(together.records, single.records);
            assert.deepEqual(together.weights, single.weights);
            assert.equal(together.history.steps, single.history.steps);
            // Three programs' first two steps are checked one by one; the rest runs in stretches, few on a machine at rest.
            assert.ok(together.calls < together.records.length, `${together.calls} calls`);
        });
    }

    it('leaves gradients only where they are asked for', async () => {
        for (const gradients of [false, true]) {
            manualSeed(1);
            const model = new nn.Linear(6, 3);
            const optimizer = new optim.Adam(model.parameters());
            const trainer = new train.Trainer({ model, optimizer, loss: nn.crossEntropy, gradients });
            const { execution } = await trainer.fit(shuffled(classes()), { epochs: 1 });
            assert.deepEqual(execution, { mode: 'captured' });
            assert.deepEqual(
                model.parameters().map(({ grad }) => grad !== null),
                [gradients, gradients],
            );
        }
    });

    it('leaves out a short last batch where the loader does', async () => {
        const loader = new DataLoader(classes(), { batchSize, dropLast: true });
        const { records, history } = await fit(loader, true);
        assert.equal(history.steps, 2 * (stepsPerEpoch - 1));
        assert.deepEqual(
            records.map(({ epoch, step }) => `${epoch}.${step}`),
            [1, 2].flatMap((epoch) => Array.from({ length: 50 }, (_, i) => `${epoch}.${i + 1}`)),
        );
    });

    it('goes on with the next epoch of the loader', async () => {
        const loader = shuffled(classes());
        await fit(loader, true);
        assert.equal(loader.epoch, 2);
    });

    const byEpoch: [
        string,
        (epoch: () => number, model: () => nn.Module) => Partial<train.TrainerOptions>,
    ][] = [
        [
            'the loss',
            (epoch) => ({
                loss: (outputs, targets) =>
                    nn.crossEntropy(outputs, targets).add(
                        outputs
                            .square()
                            .mean()
                            .mul(0.1 * epoch()),
                    ),
            }),
        ],
        [
            'the ops of the loss',
            (epoch) => ({
                loss: (outputs, targets) => {
                    const loss = nn.crossEntropy(outputs, targets);
                    return epoch() > 1 ? loss.add(outputs.abs().mean()) : loss;
                },
            }),
        ],
        [
            'what runs before the update',
            (epoch, model) => ({
                beforeStep: () => {
                    if (epoch() > 1) optim.clipGradNorm(model().parameters(), 0.01);
                },
            }),
        ],
    ];
    for (const [name, changesOf] of byEpoch) {
        it(`notices that ${name} changed with the epoch`, async () => {
            const runs: unknown[] = [];
            for (const capture of ['auto', false] as const) {
                manualSeed(2);
                const model = new nn.Linear(6, 3);
                const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
                let now = 0;
                const changes = changesOf(
                    () => now,
                    () => model,
                );
                const trainer = new train.Trainer({
                    model,
                    optimizer,
                    loss: nn.crossEntropy,
                    capture,
                    ...changes,
                });
                const { epochs, execution } = await trainer.fit(shuffled(classes()), {
                    epochs: 3,
                    callbacks: [
                        {
                            onEpochBegin: (epoch) => {
                                now = epoch;
                            },
                        },
                    ],
                });
                assert.equal(execution.mode, capture === 'auto' ? 'captured' : 'eager');
                runs.push([epochs.map(({ loss }) => loss), model.weight.toArray()]);
            }
            assert.deepEqual(runs[0], runs[1]);
        });
    }

    it('ends at the step whose loss is no number', async () => {
        const { inputs, targets } = classes();
        inputs.slice(0, 100, 101).fill_(NaN);
        const { records, history } = await fit(
            new DataLoader(new TensorDataset(inputs, targets), { batchSize }),
            true,
        );
        assert.equal(history.stopReason, 'diverged');
        assert.equal(records.length, 26);
        assert.equal(history.steps, 26);
        assert.ok(records.slice(0, -1).every(({ loss }) => Number.isFinite(loss)));
        assert.ok(Number.isNaN(records.at(-1)?.loss));
    });

    it('ends on a signal', async () => {
        const abort = new AbortController();
        const { history } = await fit(shuffled(classes()), true, {
            signal: abort.signal,
            onStep: () => abort.abort(),
        });
        assert.equal(history.stopReason, 'interrupted');
        assert.equal(history.steps, 1);
    });

    it('ends after so many steps, in the middle of an epoch, with the figures of those', async () => {
        for (const maxSteps of [1, 7, stepsPerEpoch, stepsPerEpoch + 3]) {
            const together = await fit(shuffled(classes()), true, { maxSteps });
            const single = await fit(shuffled(classes()), false, { maxSteps });
            assert.equal(together.history.steps, maxSteps);
            assert.equal(together.history.stopReason, 'completed');
            assert.equal(together.history.epochs.length, maxSteps > stepsPerEpoch ? 2 : 1);
            assert.deepEqual(together.records, single.records);
            assert.deepEqual(together.weights, single.weights);
        }
        await assert.rejects(
            fit(shuffled(classes()), true, { maxSteps: 0 }),
            /maxSteps must be a positive integer/,
        );
    });

    it('frees what its steps make', async () => {
        const counts: number[] = [];
        await fit(shuffled(classes()), true, { onStep: () => counts.push(memory().tensors) });
        const early = counts[stepsPerEpoch];
        const last = counts.at(-1) ?? Infinity;
        assert.ok(last <= early + stepsPerEpoch / 2, `${early} tensors after an epoch, ${last} at the end`);
    });

    it('gives back what its checks took, at its end', async () => {
        manualSeed(4);
        const model = new nn.Sequential(new nn.Linear(6, 8), new nn.ReLU(), new nn.Linear(8, 3));
        const optimizer = new optim.Adam(model.parameters());
        const trainer = new train.Trainer({ model, optimizer, loss: nn.crossEntropy });
        const cached: number[] = [];
        const note = (): void => void cached.push(memory().cachedBytes);
        const { execution } = await trainer.fit(shuffled(classes()), {
            epochs: 1,
            callbacks: [{ onEpochEnd: note, onTrainEnd: note }],
        });
        assert.equal(execution.mode, 'captured');
        const [during = 0, after] = cached;
        assert.ok(during > 0);
        assert.equal(after, 0);
    });

    class Reversed extends DataLoader {
        override *[Symbol.iterator](): Generator<data.Batch, void, undefined> {
            yield* [...super[Symbol.iterator]()].reverse();
        }
    }
    const set = { length: samples, get: (i: number): data.Sample => classes().get(i) };
    const oneByOne: [string, () => data.DataLoader][] = [
        ['a transform', () => new DataLoader(classes(), { batchSize, transform: (batch) => batch })],
        ['a data set of JavaScript', () => new DataLoader(set, { batchSize: 100 })],
        ['a loader with a loop of its own', () => new Reversed(classes(), { batchSize })],
    ];
    for (const [name, makeLoader] of oneByOne) {
        it(`runs them one by one with ${name}`, async () => {
            const [together, single] = [await fit(makeLoader(), true), await fit(makeLoader(), false)];
            assert.deepEqual(together.records, single.records);
            assert.equal(together.calls, together.records.length);
        });
    }

    it('names a sample whose label is no class', async () => {
        const { inputs, targets } = classes();
        targets.slice(0, 90, 91).fill_(7);
        const broken = new DataLoader(new TensorDataset(inputs, targets), { batchSize });
        await assert.rejects(fit(broken, true), /cross_entropy/);
    });
});
