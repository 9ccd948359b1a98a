import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import {
    data,
    defaultDevice,
    manualSeed,
    nn,
    ones,
    optim,
    rand,
    randn,
    tensor,
    train,
    zeros,
    type Tensor,
} from '../../lib/index.js';
import { onSimulator } from '../support/simulator.js';

const { Trainer, buildClassifier } = train;
const side = 8;
const classes = 5;

/** Pictures of one of five patterns under noise. */
function pictures(count: number, seed: number): data.TensorDataset {
    manualSeed(1);
    const patterns = randn([classes, side * side]);
    manualSeed(seed);
    const labels = Int32Array.from({ length: count }, (_, i) => i % classes);
    const targets = tensor(labels);
    const inputs = patterns.indexSelect(0, targets).add(randn([count, side * side]));
    return new data.TensorDataset(inputs.reshape([count, 1, side, side]), targets);
}

interface Setting {
    readonly architecture?: 'mlp' | 'cnn';
    readonly precision?: 'float32' | 'bfloat16' | 'float16';
    readonly scaler?: optim.GradScaler;
    readonly options?: Partial<train.TrainerOptions>;
    readonly optionsOf?: (model: nn.Sequential) => Partial<train.TrainerOptions>;
}

function makeTrainer({ architecture = 'mlp', precision, scaler, options, optionsOf }: Setting): {
    trainer: train.Trainer;
    model: nn.Sequential;
} {
    manualSeed(3);
    const model = buildClassifier({
        architecture,
        inputShape: [1, side, side],
        classes,
        hiddenSizes: [16],
        convChannels: [4, 8],
        useBatchNorm: architecture === 'cnn',
    });
    train.initializeClassifier(model, 'he', 3);
    const trainer = new Trainer({
        model,
        optimizer: new optim.Adam(model.parameters(), { lr: 3e-3 }),
        loss: nn.crossEntropy,
        ...(precision ? { precision } : {}),
        ...(scaler ? { scaler } : {}),
        ...options,
        ...optionsOf?.(model),
    });
    return { trainer, model };
}

async function fit(
    setting: Setting,
    epochs = 2,
    callbacks: train.Callback[] = [],
): Promise<{
    history: train.History;
    weights: number[];
    accuracy: number;
}> {
    const { trainer, model } = makeTrainer(setting);
    const loader = new data.DataLoader(pictures(onSimulator ? 256 : 1600, 2), { batchSize: 32 });
    const history = await trainer.fit(loader, { epochs, callbacks });
    const test = new data.DataLoader(pictures(onSimulator ? 100 : 1000, 5), { batchSize: 100 });
    const { accuracy = NaN } = await trainer.evaluate(test);
    const weights = model.parameters().flatMap((x) => Array.from(x.dataSync(), Number));
    return { history, weights, accuracy };
}

describe('training in mixed precision', () => {
    for (const architecture of ['mlp', 'cnn'] as const) {
        it(`comes to the loss and the accuracy of float32: ${architecture}`, async () => {
            const epochs = architecture === 'cnn' && !onSimulator ? 5 : 2;
            const single = await fit({ architecture }, epochs);
            if (!onSimulator) assert.ok(single.accuracy > 0.97, `float32: ${single.accuracy}`);
            for (const precision of ['float16', 'bfloat16'] as const) {
                const { accuracy, history } = await fit({ architecture, precision }, epochs);
                const [loss, expected] = [history, single.history].map((own) => own.epochs.at(-1)!.loss);
                assert.ok(
                    Math.abs(loss / expected - 1) < 0.05,
                    `${precision}: ${loss}, float32: ${expected}`,
                );
                const gap = Math.abs(accuracy - single.accuracy);
                assert.ok(
                    gap <= (onSimulator ? 0.03 : 0.0031),
                    `${precision}: ${accuracy}, ${single.accuracy}`,
                );
                assert.equal(history.execution.mode, 'captured');
            }
        });
    }

    it('leaves steps with overflow out until the scale fits, and says so', async () => {
        let text = '';
        const sink = new Writable({
            write(chunk: Buffer, _encoding, done) {
                text += chunk.toString();
                done();
            },
        });
        const steps: train.StepRecord[] = [];
        const callbacks = [
            new train.Progress(sink),
            { onStepsEnd: (records: readonly train.StepRecord[]) => void steps.push(...records) },
        ];
        const scaler = new optim.GradScaler({ initScale: 2 ** (onSimulator ? 24 : 40) });
        const { history } = await fit({ precision: 'float16', scaler }, 2, callbacks);
        const [first, second] = history.epochs;
        assert.equal(history.stopReason, 'completed');
        assert.equal(steps.length, history.steps);
        assert.ok(
            first.skippedSteps! > 2 && first.skippedSteps === scaler.skippedSteps,
            String(first.skippedSteps),
        );
        assert.equal(second.skippedSteps, 0);
        assert.equal(first.lossScale, 2 ** ((onSimulator ? 24 : 40) - scaler.skippedSteps));
        assert.ok(Number.isFinite(first.loss) && second.loss < first.loss);
        assert.match(
            text,
            /^epoch 1\/2 .* loss scale \d+ {2}skipped \d+ {2}[\d.]+ s\nepoch 2\/2 .* loss scale \d+ {2}[\d.]+ s\n$/,
        );
    });

    it('has the numbers of single ops where steps are captured, on the CPU their bits', async () => {
        const run = async (
            capture: boolean,
        ): Promise<{ weights: number[]; scaling: unknown; loss: number }> => {
            const scaler = new optim.GradScaler({ initScale: 2 ** 30, growthInterval: 7 });
            const options = { capture, gradientClip: 0.5 };
            const { weights, history } = await fit({ precision: 'float16', scaler, options }, 1);
            return { weights, scaling: scaler.stateDict(), loss: history.epochs[0].loss };
        };
        const [captured, single] = [await run(true), await run(false)];
        if (defaultDevice() === 'cpu') {
            assert.deepEqual(captured, single);
            return;
        }
        // Fused calls of a GPU add up in another order, and an optimizer's steps need not be small where a gradient is.
        assert.deepEqual(captured.scaling, single.scaling);
        assert.ok(Math.abs(captured.loss / single.loss - 1) < 1e-3, `${captured.loss}, ${single.loss}`);
        const gaps = captured.weights.map((weight, i) => Math.abs(weight - single.weights[i]));
        const gap = gaps.reduce((sum, each) => sum + each, 0) / gaps.length;
        assert.ok(gap < 1e-3, `the weights are ${gap} apart in the mean`);
    });

    it('ends where no scale helps, and leaves the weights as they were', async () => {
        const before = makeTrainer({})
            .model.parameters()
            .flatMap((x) => Array.from(x.dataSync(), Number));
        for (const capture of [true, false]) {
            const loss = (outputs: Tensor, targets: Tensor): Tensor =>
                nn.crossEntropy(outputs, targets).mul(Infinity);
            const { history, weights } = await fit({ precision: 'float16', options: { loss, capture } }, 40);
            assert.equal(history.stopReason, 'diverged');
            assert.ok(history.steps >= 50);
            assert.deepEqual(weights, before);
            assert.ok(Number.isNaN(history.epochs[0].loss));
        }
    });

    it('takes a loss that is a sum above the range of float16', async () => {
        const loss = (outputs: Tensor): Tensor => outputs.sub(40).square().sum();
        for (const capture of [true, false]) {
            const options = { loss, capture };
            // Where a weight's gradient is made in float16, its sum over the batch is large, too.
            const scaler = new optim.GradScaler({ initScale: 1 });
            const { history } = await fit({ precision: 'float16', scaler, options }, 1);
            assert.equal(history.stopReason, 'completed');
            const [{ loss: last, skippedSteps = NaN }] = history.epochs;
            assert.ok(last > 65504, String(last));
            assert.ok(skippedSteps < 0.7 * history.steps, `${skippedSteps} of ${history.steps}`);
        }
    });

    it('does not end at a batch whose loss is no number, which float32 does', async () => {
        const run = async (precision: 'float16' | 'float32'): Promise<train.History> => {
            const scaled = { precision, scaler: new optim.GradScaler({ initScale: 64 }) };
            const { trainer } = makeTrainer(precision === 'float16' ? scaled : {});
            const [x, y] = [rand([8, 1, side, side]), tensor(new Int32Array(8))];
            const bad = x.mul(NaN);
            return trainer.fit(
                [
                    [x, y],
                    [bad, y],
                    [x, y],
                ],
                { epochs: 1 },
            );
        };
        const history = await run('float16');
        assert.deepEqual([history.stopReason, history.steps], ['completed', 3]);
        assert.equal(history.epochs[0].skippedSteps, 1);
        assert.ok(Number.isFinite(history.epochs[0].loss));
        assert.equal((await run('float32')).stopReason, 'diverged');
    });

    it('ends at a loss that is no number where the scaler is not enabled', async () => {
        const loss = (outputs: Tensor, targets: Tensor): Tensor => nn.crossEntropy(outputs, targets).mul(NaN);
        const scaler = new optim.GradScaler({ enabled: false });
        for (const capture of [true, false]) {
            const { history } = await fit({ precision: 'float16', scaler, options: { loss, capture } });
            assert.deepEqual([history.stopReason, history.steps], ['diverged', 1]);
            assert.ok(history.epochs.every(({ lossScale }) => lossScale === undefined));
        }
    });

    it('goes on op by op where beforeStep reads a gradient', async () => {
        let norms = 0;
        const optionsOf = (model: nn.Sequential) => ({
            beforeStep: () => void (norms += Number(optim.clipGradNorm(model.parameters(), 1).item() > 0)),
        });
        const { history } = await fit({ precision: 'float16', optionsOf }, 1);
        assert.equal(history.execution.mode, 'eager');
        assert.equal(norms, history.steps);
        assert.equal(history.stopReason, 'completed');
    });

    it('clips the gradients that the optimizer uses, with a scaler and without', async () => {
        class Pair extends nn.Module {
            readonly trained = new nn.Parameter(zeros([1]));
            readonly other = new nn.Parameter(zeros([1]));

            override forward(x: Tensor): Tensor {
                return x.mul(this.trained).add(x.mul(1000).mul(this.other));
            }
        }
        for (const precision of ['float32', 'float16'] as const) {
            const model = new Pair();
            const trainer = new Trainer({
                model,
                optimizer: new optim.SGD([model.trained], { lr: 1 }),
                loss: (outputs) => outputs.sum(),
                precision,
                gradientClip: 4,
            });
            await trainer.fit([[ones([2, 1]), zeros([2])]], { epochs: 1 });
            assert.equal(model.trained.item(), -2, precision);
        }
    });

    it('clips within the update as beforeStep does', async () => {
        const beforeStep = (model: nn.Sequential) => ({
            beforeStep: () => void optim.clipGradNorm(model.parameters(), 0.1),
        });
        for (const precision of ['float32', 'float16'] as const) {
            const { weights } = await fit({ precision, options: { gradientClip: 0.1 } }, 1);
            const { weights: expected } = await fit({ precision, optionsOf: beforeStep }, 1);
            const { weights: unclipped } = await fit({ precision }, 1);
            const distance = (from: readonly number[]): number =>
                Math.max(...weights.map((x, i) => Math.abs(x - from[i])));
            assert.ok(distance(expected) < 1e-4, String(distance(expected)));
            assert.ok(distance(unclipped) > 1e-3, String(distance(unclipped)));
        }
    });

    it('says which options fit together', () => {
        const wrong: [Setting, RegExp][] = [
            [
                { precision: 'half' as 'float16' },
                /precision must be 'float32', 'bfloat16' or 'float16', got the string "half"/,
            ],
            [
                { scaler: new optim.GradScaler() },
                /\[Trainer\] scaler needs precision 'float16', got 'float32'/,
            ],
            [
                { precision: 'float16', scaler: Object.create(null) as optim.GradScaler },
                /scaler must be an optim.GradScaler/,
            ],
            [{ options: { gradientClip: -1 } }, /gradientClip must be a number of at least 0, got -1/],
            [
                {
                    precision: 'float16',
                    options: { optimizer: { zeroGrad: () => 0, step: () => 0, learningRate: 1 } },
                },
                /optimizer must be an optimizer of optim with precision 'float16'/,
            ],
        ];
        for (const [setting, message] of wrong) assert.throws(() => makeTrainer(setting), message);
    });
});
