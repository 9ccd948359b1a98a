import assert from 'node:assert/strict';
import { capture, data, manualSeed, nn, optim, randint, randn, train, type Tensor } from '../../lib/index.js';
import { EvaluationStep } from '../../lib/train/evaluation_step.js';

function network(): nn.Sequential {
    manualSeed(3);
    return new nn.Sequential(
        new nn.Conv2d(1, 4, 3, { padding: 1 }),
        new nn.BatchNorm2d(4),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Flatten(),
        new nn.Dropout(0.5),
        new nn.Linear(4 * 9, 3),
    );
}

describe('evaluation in captured steps', () => {
    let images: Tensor, labels: Tensor;

    before(() => {
        manualSeed(8);
        images = randn([50, 1, 6, 6]);
        labels = randint(0, 3, [50], { dtype: 'int32' });
    });

    const loader = (): data.DataLoader =>
        new data.DataLoader(new data.TensorDataset(images, labels), { batchSize: 6 });

    it('gives what it gives op by op, also after more training', async () => {
        const model = network();
        const optimizer = new optim.SGD(model.parameters(), { lr: 0.05 });
        const options = { model, optimizer, loss: nn.crossEntropy };
        const [captured, eager] = [
            new train.Trainer(options),
            new train.Trainer({ ...options, capture: false }),
        ];
        for (let round = 0; round < 3; round++) {
            assert.deepEqual(await captured.evaluate(loader()), await eager.evaluate(loader()));
            await eager.fit(loader(), { epochs: 1 });
        }
        let calls = 0;
        const removeHook = model.at(2).registerForwardHook(() => {
            calls++;
        });
        await captured.evaluate(loader());
        assert.equal(calls, 9);
        removeHook();
        const score = await train.scoreClassifier(model, loader(), nn.crossEntropy, 3);
        const { loss, accuracy } = await eager.evaluate(loader());
        assert.ok(Math.abs(score.loss - loss) < 1e-6);
        assert.equal(score.report.accuracy, accuracy);
    });

    it('goes op by op where a program cannot hold it: values read, hooks, inputs with gradients', () => {
        const model = network();
        model.eval();
        const expected = nn.crossEntropy(model.forward(images), labels).item();
        let reads = 0;
        const reading = new EvaluationStep(
            {
                model: {
                    forward: (x) => {
                        reads += x.sum().item() > 0 ? 1 : 1;
                        return model.forward(x);
                    },
                },
                loss: nn.crossEntropy,
            },
            true,
        );
        assert.equal(reading.run(images, labels).loss.item(), expected);
        assert.equal(reading.run(images, labels).loss.item(), expected);
        assert.equal(reads, 2);
        const step = new EvaluationStep({ model, loss: nn.crossEntropy }, true);
        const marked = images.clone();
        marked.requiresGrad = true;
        assert.equal(step.run(marked, labels).loss.item(), expected);
        let calls = 0;
        const removeHook = model.at(2).registerForwardHook(() => {
            calls++;
        });
        const hooked = new EvaluationStep({ model, loss: nn.crossEntropy }, true);
        hooked.run(images, labels);
        hooked.run(images, labels);
        assert.equal(calls, 2);
        removeHook();
    });

    it('notices JavaScript that changes from call to call', () => {
        const model = network();
        model.eval();
        let factor = 0;
        const loss = (outputs: Tensor, targets: Tensor): Tensor =>
            nn.crossEntropy(outputs, targets).mul(++factor);
        const step = new EvaluationStep({ model, loss }, true);
        const once = nn.crossEntropy(model.forward(images), labels).item();
        // The capture sees 1, its check 2; from then on it goes op by op.
        const got = [0, 1].map(() => step.run(images, labels).loss.item() / once);
        assert.deepEqual(
            got.map((ratio) => Math.round(ratio)),
            [2, 3],
        );
    });

    it('keeps the model in training mode while a program runs, and checks programs the first time only', async () => {
        const model = network();
        model.train();
        let calls = 0;
        const loss = (outputs: Tensor, targets: Tensor): Tensor => {
            calls++;
            return nn.crossEntropy(outputs, targets);
        };
        const optimizer = new optim.SGD(model.parameters(), { lr: 0.05 });
        const trainer = new train.Trainer({ model, optimizer, loss });
        const perRound: number[] = [];
        for (let round = 0; round < 2; round++) {
            calls = 0;
            let hasEnded = false;
            const modes = new Set<boolean>();
            const done = trainer.evaluate(loader()).finally(() => (hasEnded = true));
            while (!hasEnded) {
                modes.add(model.training);
                await new Promise((resolve) => setImmediate(resolve));
            }
            await done;
            assert.deepEqual([...modes], [true]);
            perRound.push(calls);
        }
        // Full batches and the short one: captured, and run by a check.
        assert.deepEqual(perRound, [4, 2]);
    });

    it('waits beside the event loop as it does at once', async () => {
        const model = network();
        model.eval();
        const factor = { value: 0 };
        const expected = nn.crossEntropy(model.forward(images), labels).item();
        const modes: string[] = [];
        const surroundings = <T>(body: () => T): T => {
            modes.push('aside');
            return body();
        };
        const step = new EvaluationStep({ model, loss: nn.crossEntropy, surroundings }, true);
        for (let i = 0; i < 2; i++)
            assert.equal((await step.runBeside(images, labels)).loss.item(), expected);
        assert.deepEqual(modes, ['aside']);
        const loss = (outputs: Tensor, targets: Tensor): Tensor =>
            nn.crossEntropy(outputs, targets).mul(++factor.value);
        const changing = new EvaluationStep({ model, loss, surroundings }, true);
        const got: number[] = [];
        for (let i = 0; i < 2; i++)
            got.push((await changing.runBeside(images, labels)).loss.item() / expected);
        assert.deepEqual(
            got.map((ratio) => Math.round(ratio)),
            [2, 3],
        );
    });

    it('may be a part of another captured step', () => {
        const model = network();
        model.eval();
        const step = new EvaluationStep({ model, loss: nn.crossEntropy }, true);
        const outer = capture((x: Tensor, y: Tensor) => step.run(x, y).loss.mul(2));
        assert.equal(outer(images, labels).item(), 2 * step.run(images, labels).loss.item());
    });
});
