import assert from 'node:assert/strict';
import {
    autocast,
    capture,
    captureModels,
    defaultDevice,
    linear,
    manualSeed,
    nn,
    noGrad,
    optim,
    randint,
    randn,
    type CapturedStep,
    type LowPrecision,
    type Tensor,
} from '../../lib/index.js';
import { asked } from '../support/work_counts.js';

const values = (x: Tensor): number[] => Array.from(x.dataSync(), Number);
const steps = 4;

type Step = CapturedStep<[Tensor, Tensor], Tensor>;

interface Training {
    readonly model: nn.Sequential;
    readonly step: Step;
    readonly scaler: optim.GradScaler | null;
    readonly average: optim.ExponentialMovingAverage | null;
    readonly xs: Tensor;
    readonly ys: Tensor;
}

const optimizers = {
    Adam: (parameters: Tensor[]) => new optim.Adam(parameters, { lr: 0.01 }),
    'AdamW with AMSGrad': (parameters: Tensor[]) =>
        new optim.AdamW(parameters, { lr: 0.01, weightDecay: 0.1, amsgrad: true }),
    SGD: (parameters: Tensor[]) => new optim.SGD(parameters, { lr: 0.05 }),
    'SGD with momentum': (parameters: Tensor[]) => new optim.SGD(parameters, { lr: 0.05, momentum: 0.9 }),
    RMSprop: (parameters: Tensor[]) => new optim.RMSprop(parameters, { lr: 0.01, momentum: 0.5 }),
} as const;

interface Setting {
    readonly optimizer: keyof typeof optimizers;
    readonly precision: LowPrecision;
    readonly isScaled: boolean;
    readonly fuse?: boolean;
    /** With a moving average of the weights, which reads them after the update. */
    readonly isAveraged?: boolean;
}

/** A layer norm, whose weights are cast nowhere, stands between layers whose weights are. */
function prepare({
    optimizer: name,
    precision,
    isScaled,
    fuse = true,
    isAveraged = false,
}: Setting): Training {
    manualSeed(11);
    const model = new nn.Sequential(
        new nn.Linear(12, 24),
        new nn.ReLU(),
        new nn.LayerNorm([24]),
        new nn.Linear(24, 24, { bias: false }),
        new nn.ReLU(),
        new nn.Linear(24, 5),
    );
    const optimizer = optimizers[name]([...model.parameters()]);
    const scaler = isScaled ? new optim.GradScaler({ initScale: 256, growthInterval: 2 }) : null;
    const average = isAveraged ? new optim.ExponentialMovingAverage(model, { decay: 0.5 }) : null;
    const step = capture(
        (x: Tensor, y: Tensor) => {
            optimizer.zeroGrad();
            const loss = autocast(precision, () => nn.crossEntropy(model.forward(x), y));
            if (scaler) {
                scaler.scale(loss).backward();
                scaler.step(optimizer);
                scaler.update();
            } else {
                loss.backward();
                optimizer.step();
            }
            average?.update();
            return loss;
        },
        { fuse, gradients: false },
    );
    return { model, step, scaler, average, xs: randn([steps, 9, 12]), ys: randint(0, 5, [steps, 9]) };
}

/** In one run, the copies of one step are those that the step before wrote. */
async function runAtOnce({ step, xs, ys }: Training): Promise<number[]> {
    return values((await step.run(steps, [xs, ys], { chunk: steps })).result);
}

/** Each of these runs begins with casts, since somebody wrote to the parameters, if only what they are. */
function runOneByOne({ model, step, xs, ys }: Training): number[] {
    return Array.from({ length: steps }, (_, i) => {
        noGrad(() => model.parameters().forEach((parameter) => parameter.mul_(1)));
        const at = (x: Tensor): Tensor => x.slice(0, i, i + 1).reshape(x.shape.slice(1));
        return step(at(xs), at(ys)).item();
    });
}

/** Of the step itself, with the parameters as they are. */
function firstLossOf({ model, xs, ys }: Training): number {
    const [x, y] = [xs.slice(0, 0, 1).reshape([9, 12]), ys.slice(0, 0, 1).reshape([9])];
    return noGrad(() => autocast('bfloat16', () => nn.crossEntropy(model.forward(x), y)).item());
}

const left = ({ model, scaler, average }: Training): unknown => [
    model.parameters().map(values),
    average && [...average.stateDict().averages.values()].map(values),
    scaler && [scaler.getScale(), scaler.skippedSteps],
];

function callsOf({ step, xs, ys }: Training): { op: string; shapes: string; once: boolean }[] {
    return step.profile(1, xs.slice(0, 0, 1).reshape([9, 12]), ys.slice(0, 0, 1).reshape([9]));
}

describe('a captured step keeps its parameters in 16 bits', () => {
    for (const optimizer of Object.keys(optimizers) as (keyof typeof optimizers)[]) {
        for (const [isScaled, isAveraged] of [
            [false, false],
            [true, false],
            [false, true],
            [true, true],
        ] as const) {
            const precision = isScaled ? 'float16' : 'bfloat16';
            const title = `${optimizer}, ${precision}${isScaled ? ' with a scaler' : ''}${isAveraged ? ' and a moving average' : ''}`;
            it(`${title}: casts no weight within a run, with the bits of steps that do`, async () => {
                const setting = { optimizer, precision, isScaled, isAveraged } as const;
                const [atOnce, oneByOne] = [prepare(setting), prepare(setting)];
                assert.deepEqual(await runAtOnce(atOnce), runOneByOne(oneByOne));
                assert.deepEqual(await runAtOnce(atOnce), runOneByOne(oneByOne));
                assert.deepEqual(left(atOnce), left(oneByOne));
                // Layer norm is put together, too, and a GPU sums in another order then.
                if (defaultDevice() === 'cpu') {
                    const single = prepare({ ...setting, fuse: false });
                    runOneByOne(single);
                    await runAtOnce(single);
                    assert.deepEqual(left(single), left(atOnce));
                }
                const calls = callsOf(atOnce);
                const casts = calls.filter(({ op }) => op === 'cast_all');
                assert.deepEqual(
                    casts.map(({ once }) => once),
                    [true],
                );
                // Of the weights and biases of three layers, of which one has no bias.
                assert.equal(casts[0]?.shapes.split('->')[1]?.split('], [').length, 5);
                // Of x, and what layer norm and the loss take and give.
                const copies = calls.filter(({ op, once }) => op === 'copy' && !once);
                assert.ok(
                    copies.every(({ shapes }) => shapes.startsWith('[9, ')),
                    JSON.stringify(copies),
                );
            });
        }
    }

    it('leaves parameters and copies as they are in a step that overflows', async () => {
        const setting = { optimizer: 'Adam', precision: 'float16', isScaled: true } as const;
        const [atOnce, oneByOne] = [prepare(setting), prepare(setting)];
        for (const { xs } of [atOnce, oneByOne]) xs.slice(0, 1, 2).fill_(Infinity);
        const [run, single] = [await runAtOnce(atOnce), runOneByOne(oneByOne)];
        assert.deepEqual(run, single);
        assert.ok(Number.isNaN(run[1]) && Number.isFinite(run[2]), String(run));
        assert.equal(atOnce.scaler?.skippedSteps, 1);
        assert.deepEqual(left(atOnce), left(oneByOne));
    });

    it('sees what was changed between two runs: by hand, by a state dict, by another optimizer', async () => {
        const setting = { optimizer: 'Adam', precision: 'bfloat16', isScaled: false } as const;
        const [atOnce, oneByOne] = [prepare(setting), prepare(setting)];
        const other = prepare({ ...setting, optimizer: 'SGD' });
        runOneByOne(other);
        const changes: ((training: Training) => void)[] = [
            ({ model }) => noGrad(() => model.parameters().forEach((parameter) => parameter.mul_(0.5))),
            ({ model }) => model.loadStateDict(other.model.stateDict()),
            ({ model, xs, ys }) => {
                const optimizer = new optim.SGD(model.parameters(), { lr: 0.5 });
                const x = xs.slice(0, 0, 1).reshape([9, 12]);
                nn.crossEntropy(model.forward(x), ys.slice(0, 0, 1).reshape([9])).backward();
                optimizer.step();
                optimizer.zeroGrad();
            },
        ];
        for (const change of changes) {
            change(atOnce);
            change(oneByOne);
            const expected = firstLossOf(atOnce);
            const losses = await runAtOnce(atOnce);
            assert.ok(Math.abs((losses[0] ?? NaN) / expected - 1) < 1e-3, `${losses[0]}, not ${expected}`);
            assert.deepEqual(losses, runOneByOne(oneByOne));
            assert.deepEqual(left(atOnce), left(oneByOne));
        }
    });

    it('casts in every step what the step changes in another way, or reads after the update', async () => {
        const train = (readsAfter: boolean): { step: CapturedStep<[Tensor], Tensor>; weight: Tensor } => {
            manualSeed(5);
            const weight = randn([4, 4], { requiresGrad: true });
            const optimizer = new optim.SGD([weight], { lr: 0.1 });
            const step = capture<[Tensor], Tensor>((x) => {
                optimizer.zeroGrad();
                const first = autocast('bfloat16', () => linear(x, weight).to('float32').square().sum());
                first.backward();
                optimizer.step();
                if (!readsAfter) noGrad(() => weight.clamp_(-0.5, 0.5));
                return noGrad(() => autocast('bfloat16', () => linear(x, weight)).to('float32')).sum();
            });
            return { step, weight };
        };
        const xs = randn([3, 2, 4]);
        for (const readsAfter of [false, true]) {
            const [atOnce, oneByOne] = [train(readsAfter), train(readsAfter)];
            const run = await atOnce.step.run(3, [xs]);
            const single = [0, 1, 2].map((i) => oneByOne.step(xs.slice(0, i, i + 1).reshape([2, 4])).item());
            assert.deepEqual(values(run.result), single);
            assert.deepEqual(values(atOnce.weight), values(oneByOne.weight));
        }
    });

    it('casts a weight once that several layers share', () => {
        const weight = randn([6, 6]);
        const step = capture((x: Tensor) =>
            autocast('bfloat16', () => linear(linear(linear(x, weight), weight), weight)),
        );
        const x = randn([2, 6]);
        const expected = autocast('bfloat16', () => linear(linear(linear(x, weight), weight), weight));
        assert.deepEqual(step(x).toArray(), expected.toArray());
        const casts = step.profile(1, x).filter(({ op }) => op === 'copy' || op === 'cast_all');
        assert.deepEqual(
            casts.map(({ shapes, once }) => [shapes, once]),
            [
                ['[6, 6] -> [6, 6]', true],
                ['[2, 6] -> [2, 6]', false],
            ],
        );
    });

    it('has the bits of each alone where several models are trained together', async () => {
        const rates = [0.01, 0.03, 0.1];
        const { xs, ys } = prepare({ optimizer: 'SGD', precision: 'bfloat16', isScaled: false });
        const make = (lr: number): { model: nn.Layer; step: (x: Tensor, y: Tensor) => Tensor } => {
            manualSeed(7);
            const model = new nn.Sequential(new nn.Linear(12, 20), new nn.ReLU(), new nn.Linear(20, 5));
            const optimizer = new optim.AdamW(model.parameters(), { lr });
            const step = (x: Tensor, y: Tensor): Tensor => {
                optimizer.zeroGrad();
                const loss = autocast('bfloat16', () => nn.crossEntropy(model.forward(x), y));
                loss.backward();
                optimizer.step();
                return loss;
            };
            return { model, step };
        };
        const [alone, together] = [rates.map(make), rates.map(make)];
        const steppers = alone.map(({ step }) => capture(step, { gradients: false }));
        const train = captureModels(
            together.map(({ step }) => step),
            { gradients: false },
        );
        for (const turn of [0, 1]) {
            const { results } = await train.run(steps, [xs, ys], { chunk: steps });
            for (const [i, stepper] of steppers.entries()) {
                const { result } = await stepper.run(steps, [xs, ys], { chunk: steps });
                assert.deepEqual(values(results[i] ?? assert.fail()), values(result), `turn ${turn}`);
            }
        }
        const weightsOf = ({ model }: { model: nn.Layer }): unknown => model.parameters().map(values);
        assert.deepEqual(together.map(weightsOf), alone.map(weightsOf));
    });

    // Of a GPU, launches can be counted.
    if (defaultDevice() !== 'cpu')
        it('casts before a run only what somebody else wrote since the last one', async () => {
            const training = prepare({ optimizer: 'Adam', precision: 'bfloat16', isScaled: false });
            const launches = async (): Promise<number> => (await asked(() => runAtOnce(training))).launches;
            await runAtOnce(training);
            const usual = await launches();
            assert.equal(await launches(), usual);
            noGrad(() => training.model.parameters()[0]?.fill_(0.5));
            // The casts, and the gradient of the loss.
            assert.equal(await launches(), usual + 2);
            assert.equal(await launches(), usual);
        });
});
