import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { data, manualSeed, nn, optim, randint, randn, setThreads, train } from '../../lib/index.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

type Make = (parameters: nn.Parameter[]) => optim.Optimizer;

interface Case {
    readonly optimizer: Make;
    readonly schedule?: (optimizer: optim.Optimizer) => Partial<train.TrainerOptions>;
    readonly precision?: 'bfloat16' | 'float16';
    readonly scaler?: () => optim.GradScaler;
    readonly augment?: boolean;
    readonly averages?: boolean;
    readonly stops?: boolean;
}

const sgd: Make = (p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9 });
const cases: Readonly<Record<string, Case>> = {
    'momentum and a warmup by steps': {
        optimizer: sgd,
        schedule: (optimizer) => ({
            schedule: new optim.LinearLR(optimizer, { startFactor: 0.1, totalIters: 5 }),
            scheduleInterval: 'step',
        }),
    },
    'Adam and one cycle, which moves beta1': {
        optimizer: (p) => new optim.AdamW(p, { lr: 0.01 }),
        schedule: (optimizer) => ({
            schedule: new optim.OneCycleLR(optimizer, { maxLr: 0.1, totalSteps: epochs * batchesOfEpoch }),
            scheduleInterval: 'step',
        }),
    },
    'RMSprop and a cosine by steps': {
        optimizer: (p) => new optim.RMSprop(p, { lr: 0.01 }),
        schedule: (optimizer) => ({
            schedule: new optim.CosineAnnealingLR(optimizer, { tMax: epochs * batchesOfEpoch }),
            scheduleInterval: 'step',
        }),
    },
    'Adam, plateau and early stopping': {
        optimizer: (p) => new optim.Adam(p, { lr: 0.05 }),
        schedule: (optimizer) => ({ schedule: new optim.ReduceLROnPlateau(optimizer, { patience: 0 }) }),
        stops: true,
    },
    'RMSprop and augmentation': { optimizer: (p) => new optim.RMSprop(p), augment: true },
    bfloat16: { optimizer: (p) => new optim.Adam(p), precision: 'bfloat16' },
    'an average of weights and statistics': { optimizer: (p) => new optim.AdamW(p), averages: true },
    'an average and bfloat16': { optimizer: sgd, precision: 'bfloat16', averages: true },
    'float16 with overflow': {
        optimizer: (p) => new optim.Adam(p),
        precision: 'float16',
        scaler: () => new optim.GradScaler({ initScale: 2 ** 40, growthInterval: 2 }),
    },
};

const epochs = 2;
/** Of 27 samples, the last one short. */
const batchesOfEpoch = 4;

interface Outcome {
    readonly files: Readonly<Record<string, string>>;
    readonly history: unknown;
    readonly steps: number;
    readonly mode: string;
}

/** One process's part of a training: a model of its own each time, made from the same seed. */
async function part(
    kind: Case,
    capture: boolean | 'auto',
    options: Partial<train.FitOptions> & Required<Pick<train.FitOptions, 'checkpoints'>>,
    stopAt = Infinity,
): Promise<Outcome> {
    manualSeed(11);
    const images = randn([27, 1, 6, 6]);
    const set = new data.TensorDataset(images, randint(0, 3, [27], { dtype: 'int32' }));
    const transform = data.randomAffine({ shift: 1, rotate: 10, seed: 4 });
    const loader = new data.DataLoader(set, {
        batchSize: 8,
        shuffle: true,
        seed: 5,
        ...(kind.augment ? { transform } : {}),
    });
    const model = new nn.Sequential(
        new nn.Conv2d(1, 4, 3),
        new nn.BatchNorm2d(4),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Flatten(),
        new nn.Dropout(0.3),
        new nn.Linear(16, 3),
    );
    const optimizer = kind.optimizer(model.parameters());
    const average = kind.averages
        ? new optim.ExponentialMovingAverage(model, { decay: 0.7, useBuffers: true })
        : undefined;
    const trainer = new train.Trainer({
        model,
        optimizer,
        loss: nn.crossEntropy,
        capture,
        ...(kind.precision ? { precision: kind.precision } : {}),
        ...(kind.scaler ? { scaler: kind.scaler() } : {}),
        ...(average ? { average } : {}),
        ...kind.schedule?.(optimizer),
    });
    const controller = new AbortController();
    let steps = 0;
    const history = await trainer.fit(loader, {
        epochs,
        validation: new data.DataLoader(set, { batchSize: 3 }),
        callbacks: [
            ...(kind.stops ? [new train.EarlyStopping({ patience: 1, minDelta: 0.01 })] : []),
            {
                onStepsEnd: (records) => {
                    steps += records.length;
                    if (steps >= stopAt) controller.abort();
                },
            },
        ],
        signal: controller.signal,
        ...options,
    });
    const { mode } = history.execution;
    const records = history.epochs.map((record) => ({ ...record, seconds: 0 }));
    return { files: await newestFiles(options.checkpoints), history: records, steps: history.steps, mode };
}

/** SHA-256 of each file of the newest checkpoint: all that a fit goes on with, but for how long it took. */
async function newestFiles(store: train.CheckpointStore): Promise<Record<string, string>> {
    const { path } = (await store.load()) ?? assert.fail('nothing was saved');
    const withoutSeconds = (key: string, value: unknown): unknown => (key === 'seconds' ? 0 : value);
    const entries = readdirSync(path)
        .filter((name) => name !== 'MANIFEST.json')
        .map((name) => {
            const bytes = readFileSync(join(path, name));
            const content = name.endsWith('.json')
                ? JSON.stringify(JSON.parse(bytes.toString(), withoutSeconds))
                : bytes;
            return [name, createHash('sha256').update(content).digest('hex')];
        });
    return Object.fromEntries(entries) as Record<string, string>;
}

describe('fit with checkpoints and resume', () => {
    const folder = useTemporaryFolder();
    afterEach(() => setThreads(2));

    for (const [name, kind] of Object.entries(cases)) {
        for (const capture of [false, true]) {
            it(`gives the bits of an uninterrupted fit: ${name}, ${capture ? 'captured' : 'eager'}`, async () => {
                setThreads(1);
                const onWarning = (text: string): void => assert.equal(text, '');
                const wholeStore = new train.CheckpointStore(join(folder(), 'whole'), { onWarning });
                const whole = await part(kind, capture && 'auto', { checkpoints: wholeStore });
                assert.equal(whole.mode, capture ? 'captured' : 'eager');
                for (let stopAt = 1; stopAt < epochs * batchesOfEpoch; stopAt++) {
                    setThreads(1 + (stopAt % 3));
                    const path = join(folder(), `${stopAt}`);
                    // One that is made by a stop alone, at whatever step, goes on as well.
                    const every = stopAt % 2 === 1 ? { steps: 1 } : { epochs: 1 };
                    const options = { every, onWarning };
                    const first = { checkpoints: new train.CheckpointStore(path, options) };
                    await part(kind, capture && 'auto', first, stopAt);
                    const store = new train.CheckpointStore(path, options);
                    const second = { checkpoints: store, resume: 'auto' };
                    assert.deepEqual(
                        await part(kind, capture && 'auto', second),
                        whole,
                        `stopped after step ${stopAt}`,
                    );
                }
            });
        }
    }

    it('warns where the steps before were captured and those after are not', async () => {
        const kind = cases.bfloat16;
        assert.ok(kind);
        const warnings: string[] = [];
        const options = { every: { steps: 1 }, onWarning: (text: string) => warnings.push(text) };
        const store = (): train.CheckpointStore => new train.CheckpointStore(join(folder(), 'mode'), options);
        await part(kind, 'auto', { checkpoints: store() }, 3);
        assert.deepEqual(warnings, []);
        await part(kind, false, { checkpoints: store(), resume: 'auto' });
        assert.equal(warnings.length, 1);
        assert.match(
            warnings[0],
            /step-3 was written by captured steps, this run has eager ones: its bits may differ/,
        );
    });

    it('says where an average of the weights begins, or ends, with a checkpoint', async () => {
        const averaged = cases['an average and bfloat16'];
        assert.ok(averaged);
        for (const [first, second, expected] of [
            [
                averaged,
                { ...averaged, averages: false },
                /step-3 holds an average of the weights, which this run/,
            ],
            [
                { ...averaged, averages: false },
                averaged,
                /step-3 holds no average of the weights, so that it begins/,
            ],
        ] as const) {
            const warnings: string[] = [];
            const path = join(folder(), String(second.averages));
            const options = { every: { steps: 1 }, onWarning: (text: string) => warnings.push(text) };
            const store = (): train.CheckpointStore => new train.CheckpointStore(path, options);
            await part(first, 'auto', { checkpoints: store() }, 3);
            assert.deepEqual(warnings, []);
            await part(second, 'auto', { checkpoints: store(), resume: 'auto' });
            assert.equal(warnings.length, 1, warnings.join());
            assert.match(warnings[0], expected);
        }
    });

    it('adds up the seconds of its parts', async () => {
        const set = new data.TensorDataset(randn([8, 4]), randn([8, 2]));
        const fit = async (options: Partial<train.FitOptions>): Promise<train.History & { wall: number }> => {
            const model = new nn.Linear(4, 2);
            const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
            const trainer = new train.Trainer({ model, optimizer, loss: nn.mseLoss });
            const checkpoints = new train.CheckpointStore(join(folder(), 'seconds'));
            const callbacks = [{ onStepEnd: () => new Promise<void>((done) => setTimeout(done, 50)) }];
            const begin = performance.now();
            const loader = new data.DataLoader(set, { batchSize: 2 });
            const history = await trainer.fit(loader, { epochs: 2, checkpoints, callbacks, ...options });
            return { ...history, wall: (performance.now() - begin) / 1000 };
        };
        const first = await fit({ maxSteps: 3 });
        assert.ok(
            first.seconds >= 0.14 && first.seconds <= first.wall,
            `${first.seconds} s of ${first.wall}`,
        );
        const second = await fit({ resume: 'auto' });
        const together = 8 * 0.049;
        assert.ok(second.seconds >= together && second.wall < second.seconds, `${second.seconds} s`);
        assert.ok(second.seconds <= first.wall + second.wall, `${second.seconds} s`);
        const done = await fit({ resume: 'auto' });
        assert.ok(done.seconds >= together && done.wall < done.seconds, `${done.seconds} s`);
    });

    it('closes a fit that was complete already as it was', async () => {
        const kind = cases['Adam, plateau and early stopping'];
        assert.ok(kind);
        const checkpoints = new train.CheckpointStore(join(folder(), 'a'));
        const whole = await part(kind, 'auto', { checkpoints });
        assert.deepEqual(await part(kind, 'auto', { checkpoints, resume: 'auto' }), whole);
        const cut = await part(kind, 'auto', {
            checkpoints: new train.CheckpointStore(join(folder(), 'b')),
            maxSteps: 6,
        });
        const again = { checkpoints: new train.CheckpointStore(join(folder(), 'b')), resume: 'auto' };
        assert.deepEqual(await part(kind, 'auto', { ...again, maxSteps: 6 }), cut);
        assert.deepEqual(await part(kind, 'auto', again), whole);
    });
});
