import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { data, manualSeed, nn, optim, randint, randn, train } from '../../lib/index.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

/** A small training, made anew: three batches an epoch. */
function training(
    loading: data.DataLoaderOptions = {},
    more: (optimizer: optim.SGD) => Partial<train.TrainerOptions> = () => ({}),
    dropout = 0.5,
): { trainer: train.Trainer; loader: data.DataLoader } {
    manualSeed(4);
    const set = new data.TensorDataset(randn([12, 4]), randint(0, 2, [12], { dtype: 'int32' }));
    const model = new nn.Sequential(new nn.Linear(4, 2), new nn.Dropout(dropout));
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
    const options = { model, optimizer, loss: nn.crossEntropy, ...more(optimizer) };
    return {
        trainer: new train.Trainer(options),
        loader: new data.DataLoader(set, { batchSize: 4, ...loading }),
    };
}

describe('checkpoints of a fit', () => {
    const folder = useTemporaryFolder();
    let warnings: string[] = [];
    beforeEach(() => (warnings = []));
    const storeOf = (options: train.CheckpointStoreOptions = {}): train.CheckpointStore =>
        new train.CheckpointStore(join(folder(), 'c'), {
            onWarning: (text) => warnings.push(text),
            ...options,
        });
    const saved = (): string[] => readdirSync(join(folder(), 'c')).sort();

    it('end it where a callback has a state that cannot be saved, before the next epoch', async () => {
        const { trainer, loader } = training();
        let epochs = 0;
        const callbacks = [
            { stateDict: () => ({ when: new Date(0) }), onEpochEnd: () => void (epochs += 1) },
        ];
        await assert.rejects(trainer.fit(loader, { epochs: 50, checkpoints: storeOf(), callbacks }), {
            name: 'TypeError',
            message: /a state holds a Date at '0.state.when'/,
        });
        assert.ok(epochs <= 2, `${epochs} epochs`);
        assert.deepEqual([warnings, saved()], [[], []]);
        assert.equal((await trainer.fit(loader, { epochs: 1 })).stopReason, 'completed');
    });

    it('go on where a save fails, and say which one stands', async () => {
        const { trainer, loader } = training();
        const checkpoints = storeOf();
        const path = join(folder(), 'c');
        const block = {
            // A file in the place of the folder: nothing can be written there, whoever runs the test.
            onEpochEnd({ epoch }: train.EpochRecord): void {
                if (epoch !== 1) return;
                rmSync(path, { recursive: true });
                writeFileSync(path, '');
            },
        };
        const history = await trainer.fit(loader, { epochs: 1, checkpoints, callbacks: [block] });
        assert.equal(history.stopReason, 'completed');
        assert.equal(warnings.length, 1, warnings.join());
        assert.match(warnings[0], /; the fit goes on, there is none yet to go back to$/);
    });

    /** An epoch ends with this validation loss, whatever was trained. */
    const losses = [5, 1, 4, 3, 2, 6];
    const fitWithLosses = async (
        options: train.CheckpointStoreOptions,
        fit: Partial<train.FitOptions>,
    ): Promise<void> => {
        const { trainer, loader } = training();
        let next = fit.resume ? 3 : 0;
        trainer.evaluate = () =>
            Promise.resolve({ loss: losses[next++] ?? NaN, accuracy: undefined, samples: 1 });
        await trainer.fit(loader, {
            epochs: losses.length,
            validation: loader,
            checkpoints: storeOf(options),
            ...fit,
        });
    };

    it('keep the best epochs besides the newest', async () => {
        await fitWithLosses({ every: { epochs: 100 }, keepLast: 1, keepBest: 2 }, {});
        // Three steps an epoch: the losses 1 and 2, and the end.
        assert.deepEqual([saved(), warnings], [['step-15', 'step-18', 'step-6'], []]);
    });

    it('know after a resume which epochs were the best', async () => {
        const often = { every: { epochs: 1 }, keepLast: 1, keepBest: 1 };
        await fitWithLosses(often, { maxSteps: 9 });
        assert.deepEqual(saved(), ['step-6', 'step-9']);
        const made: number[] = [];
        class TellingStore extends train.CheckpointStore {
            override save(...given: Parameters<train.CheckpointStore['save']>): Promise<string> {
                made.push(given[0]);
                return super.save(...given);
            }
        }
        const options = { every: { epochs: 100 }, keepLast: 1, keepBest: 1 };
        const checkpoints = new TellingStore(join(folder(), 'c'), options);
        await fitWithLosses({}, { resume: 'auto', checkpoints });
        // Epochs 4 to 6 are worse than epoch 2: only the end is saved.
        assert.deepEqual([made, saved()], [[18], ['step-18', 'step-6']]);
    });

    it('leave the last good one where the loss diverges, from which a resumed fit can go on', async () => {
        const options = { every: { epochs: 1 }, keepLast: 1 };
        let optimizer: optim.SGD | undefined;
        const first = training({}, (made) => {
            optimizer = made;
            return {};
        });
        const diverge = {
            onEpochBegin: (epoch: number): void => {
                if (epoch === 2 && optimizer) optimizer.paramGroups[0].lr = 1e38;
            },
        };
        const fit = { epochs: 4, checkpoints: storeOf(options) };
        const history = await first.trainer.fit(first.loader, { ...fit, callbacks: [diverge] });
        assert.deepEqual([history.stopReason, saved(), warnings], ['diverged', ['step-3'], []]);
        const { trainer, loader } = training();
        const resumed = await trainer.fit(loader, {
            ...fit,
            checkpoints: storeOf(options),
            resume: 'auto',
        });
        assert.deepEqual([resumed.stopReason, resumed.steps], ['completed', 12]);
    });

    it('say what is missing where they have nothing to tell the best by', async () => {
        const { trainer, loader } = training();
        await assert.rejects(
            trainer.fit(loader, { epochs: 2, checkpoints: storeOf({ keepBest: 1 }) }),
            /\[CheckpointStore\] monitors validationLoss, which epoch 1 does not have: give fit\(\) validation data/,
        );
    });

    it('are made every few minutes, in the middle of an epoch, too', async () => {
        const { trainer, loader } = training();
        const now = performance.now.bind(performance);
        let later = 0;
        performance.now = () => now() + later;
        const places: string[] = [];
        try {
            await trainer.fit(loader, {
                epochs: 4,
                checkpoints: storeOf({ every: { minutes: 10 }, keepLast: 9 }),
                callbacks: [
                    {
                        onStepEnd: ({ epoch, step }) => {
                            places.push(`${epoch}.${step}`);
                            later += 6 * 60_000;
                        },
                    },
                ],
            });
        } finally {
            performance.now = now;
        }
        assert.equal(places.length, 12);
        // Each third step is an epoch's end.
        assert.deepEqual(
            saved(),
            [10, 12, 2, 4, 6, 8].map((step) => `step-${step}`),
        );
    });

    it('warn where another instruction set goes on', async () => {
        const first = training();
        await first.trainer.fit(first.loader, { epochs: 1, checkpoints: storeOf() });
        const written = await storeOf().load();
        assert.ok(written);
        const fit = written.state.trainer as { instructionSet: string };
        const state = { ...written.state, trainer: { ...fit, instructionSet: 'abacus' } };
        await storeOf().save(written.step, state);
        const second = training();
        await second.trainer.fit(second.loader, { epochs: 2, checkpoints: storeOf(), resume: 'auto' });
        assert.deepEqual(warnings, [
            `${join(folder(), 'c', 'step-3.1')} was written with instructionSet abacus, this run has ${fit.instructionSet}: ` +
                'its bits will differ from those of an uninterrupted run',
        ]);
    });

    it('go on with the order of the loader that began, or not at all in the middle of an epoch', async () => {
        const shuffled = { shuffle: true, seed: 1 };
        const resumed = async (loading: data.DataLoaderOptions, maxSteps: number): Promise<train.History> => {
            rmSync(join(folder(), 'c'), { recursive: true, force: true });
            const first = training(shuffled);
            await first.trainer.fit(first.loader, { epochs: 3, maxSteps, checkpoints: storeOf() });
            const { trainer, loader } = training(loading);
            return trainer.fit(loader, { epochs: 3, checkpoints: storeOf(), resume: 'auto' });
        };
        const others = [
            [{ shuffle: true, seed: 2 }, 'seed 1', 'seed 2'],
            [{ shuffle: false, seed: 1 }, 'shuffle true', 'shuffle false'],
            [{ ...shuffled, dropLast: true }, 'dropLast false', 'dropLast true'],
        ] as const;
        for (const [loading, was, is] of others) {
            await assert.rejects(resumed(loading, 4), {
                name: 'CheckpointError',
                message: new RegExp(
                    `is of a loader with ${was}, this one has ${is}; an epoch cannot go on with it`,
                ),
            });
            assert.equal(warnings.length, 0);
            assert.equal((await resumed(loading, 3)).stopReason, 'completed');
            assert.equal(warnings.length, 1, warnings.join());
            assert.ok(
                warnings[0].includes(`is of a loader with ${was}, this one has ${is}: the end of the run`),
            );
            warnings = [];
        }
        await resumed(shuffled, 4);
        assert.deepEqual(warnings, []);
    });

    it('tell of another schedule, loss, clipping and other layers', async () => {
        const began = training({}, (optimizer) => ({
            schedule: new optim.CosineAnnealingLR(optimizer, { tMax: 3 }),
            gradientClip: 1,
        }));
        await began.trainer.fit(began.loader, { epochs: 3, maxSteps: 3, checkpoints: storeOf() });
        const { trainer, loader } = training(
            {},
            (optimizer) => ({
                schedule: new optim.ExponentialLR(optimizer, { gamma: 0.9 }),
                scheduleInterval: 'step',
                loss: function ownLoss(outputs, targets) {
                    return nn.crossEntropy(outputs, targets);
                },
            }),
            0.25,
        );
        await trainer.fit(loader, { epochs: 3, checkpoints: storeOf(), resume: 'auto' });
        const told = warnings.map((text) => text.slice(text.indexOf('was written with')).split(':')[0]);
        assert.deepEqual(told, [
            'was written with scheduleClass CosineAnnealingLR, this run has ExponentialLR',
            'was written with scheduleInterval epoch, this run has step',
            'was written with gradientClip 1, this run has null',
            'was written with loss crossEntropy, this run has ownLoss',
            told[4],
        ]);
        assert.match(warnings[4], /other layers, '.*Dropout.*0\.5.*', this run has '.*Dropout.*0\.25.*'/);
    });

    it('read the folder that they save in, when it is named, with the store that cleans up there', async () => {
        const first = training();
        await assert.rejects(
            first.trainer.fit(first.loader, {
                epochs: 1,
                checkpoints: storeOf(),
                resume: join(folder(), 'c'),
            }),
            /holds no checkpoint/,
        );
        await first.trainer.fit(first.loader, { epochs: 1, checkpoints: storeOf() });
        const checkpoints = storeOf();
        let loads = 0;
        const load = checkpoints.load.bind(checkpoints);
        checkpoints.load = () => (loads++, load());
        const second = training();
        const options = { epochs: 2, checkpoints, resume: join(folder(), '.', 'c') };
        assert.equal((await second.trainer.fit(second.loader, options)).epochs.length, 2);
        assert.equal(loads, 1);
    });
});
