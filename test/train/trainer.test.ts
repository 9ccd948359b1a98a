import assert from 'node:assert/strict';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { data, memory, noGrad, tensor, train, type Tensor } from '../../lib/index.js';

const { CsvHistory, EarlyStopping, JsonLinesHistory, Progress, Trainer } = train;
type Callback = train.Callback;

/** y = x w: one parameter, plain gradient descent. */
class Line {
    readonly w = tensor([[0]], { requiresGrad: true });
    mode = 'train';
    forward(x: Tensor): Tensor {
        return x.matmul(this.w);
    }
    train(): void {
        this.mode = 'train';
    }
    eval(): void {
        this.mode = 'eval';
    }
    parameters(): Tensor[] {
        return [this.w];
    }
    stateDict(): Map<string, Tensor> {
        return new Map([['w', this.w]]);
    }
    loadStateDict(state: ReadonlyMap<string, Tensor>): void {
        noGrad(() => this.w.copy_(state.get('w')!));
    }
}

class Descent {
    learningRate = 0.1;
    constructor(private readonly w: Tensor) {}
    zeroGrad(): void {
        this.w.grad?.dispose();
        this.w.grad = null;
    }
    step(): void {
        noGrad(() => this.w.sub_(this.w.grad!.mul(this.learningRate)));
    }
}

const squared = (outputs: Tensor, targets: Tensor): Tensor => {
    const difference = outputs.sub(targets);
    return difference.mul(difference).mean();
};

function setup(slope = 2): {
    model: Line;
    optimizer: Descent;
    trainer: train.Trainer;
    loader: data.DataLoader;
} {
    const model = new Line();
    const optimizer = new Descent(model.w);
    const x = tensor([[1], [2], [-1], [0.5]]);
    const loader = new data.DataLoader(new data.TensorDataset(x, x.mul(slope)), { batchSize: 2 });
    return { model, optimizer, trainer: new Trainer({ model, optimizer, loss: squared }), loader };
}

describe('Trainer', () => {
    it('fits, validates and reports every epoch', async () => {
        const { model, trainer, loader } = setup();
        const history = await trainer.fit(loader, { epochs: 20, validation: loader });
        assert.equal(history.stopReason, 'completed');
        assert.equal(history.steps, 40);
        assert.equal(history.epochs.length, 20);
        assert.ok(Math.abs(model.w.item() - 2) < 1e-3);
        const [first, last] = [history.epochs[0], history.epochs.at(-1)!];
        assert.ok(last.validationLoss! < first.validationLoss!);
        assert.equal(first.accuracy, undefined);
        assert.equal(model.mode, 'eval');
    });

    it('frees what its steps make', async () => {
        const { trainer, loader } = setup();
        await trainer.fit(loader, { epochs: 2 });
        const before = memory().tensors;
        await trainer.fit(loader, { epochs: 10 });
        assert.ok(memory().tensors <= before, `${memory().tensors} tensors after, ${before} before`);
    });

    it('ends on an abort signal after the running step', async () => {
        const { trainer, loader } = setup();
        const abort = new AbortController();
        let steps = 0;
        const callback: Callback = {
            onStepEnd: () => {
                if (++steps === 3) abort.abort();
            },
        };
        const history = await trainer.fit(loader, {
            epochs: 100,
            callbacks: [callback],
            signal: abort.signal,
        });
        assert.equal(history.stopReason, 'interrupted');
        assert.equal(steps, 3);
    });

    it('ends at the beginning of an epoch, where a callback or a signal says so', async () => {
        const abort = new AbortController();
        const ways: Record<string, Callback['onEpochBegin']> = {
            callback: (epoch, context) => {
                if (epoch === 2) context.stop('early stopping');
            },
            signal: async (epoch) => {
                await new Promise(setImmediate);
                if (epoch === 2) abort.abort();
            },
        };
        for (const [name, onEpochBegin] of Object.entries(ways)) {
            const { trainer, loader } = setup();
            const history = await trainer.fit(loader, {
                epochs: 5,
                callbacks: [{ onEpochBegin }],
                signal: abort.signal,
            });
            assert.equal(history.stopReason, name === 'signal' ? 'interrupted' : 'early stopping');
            assert.deepEqual([history.epochs.length, history.steps], [1, 2], name);
        }
    });

    it('stops when the loss diverges', async () => {
        const { trainer, loader, optimizer } = setup();
        optimizer.learningRate = 1e30;
        const history = await trainer.fit(loader, { epochs: 10 });
        assert.equal(history.stopReason, 'diverged');
    });

    it('calls onTrainEnd after an error, passes the error on, and can fit again', async () => {
        const { trainer, loader } = setup();
        let reason = '';
        const failing: Callback = {
            onEpochEnd: () => {
                throw new Error('disk full');
            },
            onTrainEnd: (history) => {
                reason = history.stopReason;
            },
        };
        await assert.rejects(trainer.fit(loader, { epochs: 1, callbacks: [failing] }), /disk full/);
        assert.equal(reason, 'failed');
        assert.equal((await trainer.fit(loader, { epochs: 1 })).stopReason, 'completed');
    });

    it('refuses a second fit while one runs, and wrong epochs', async () => {
        const { trainer, loader } = setup();
        const first = trainer.fit(loader, { epochs: 1 });
        await assert.rejects(trainer.fit(loader, { epochs: 1 }), /\[fit\] this trainer is fitting already/);
        await first;
        await assert.rejects(trainer.fit(loader, { epochs: 1.5 }), /\[fit\] epochs.*got 1.5/);
    });

    it('refuses an epoch without batches', async () => {
        const { trainer, loader } = setup();
        await assert.rejects(trainer.fit([], { epochs: 1 }), /\[fit\] epoch 1 gave no batches/);
        await assert.rejects(
            trainer.fit(loader[Symbol.iterator](), { epochs: 2 }),
            /\[fit\] epoch 2 gave no batches/,
        );
    });

    it('leaves tensors alone that the batches share', async () => {
        const { trainer } = setup();
        const batch: data.Batch = [tensor([[1]]), tensor([[2]])];
        await trainer.fit([batch], { epochs: 3 });
        assert.deepEqual(batch[0].toArray(), [[1]]);
    });

    it('goes on in training mode after an evaluation in between', async () => {
        const { model, trainer, loader } = setup();
        const modes: string[] = [];
        Object.defineProperty(model, 'training', { get: () => model.mode === 'train' });
        const callback: Callback = {
            onStepEnd: async () => {
                await trainer.evaluate(loader);
                modes.push(model.mode);
            },
        };
        await trainer.fit(loader, { epochs: 1, callbacks: [callback] });
        assert.deepEqual(modes, ['train', 'train']);
        assert.equal(model.mode, 'eval');
    });

    it('predicts and evaluates without recording', async () => {
        const { model, trainer, loader } = setup();
        noGrad(() => model.w.fill_(3));
        const outputs = await trainer.predict(loader);
        assert.deepEqual(outputs.toArray(), [[3], [6], [-3], [1.5]]);
        assert.equal(outputs.requiresGrad, false);
        const { loss, samples } = await trainer.evaluate(loader);
        assert.equal(samples, 4);
        assert.ok(Math.abs(loss - 1.5625) < 1e-6);
    });
});

describe('EarlyStopping', () => {
    it('restores the best weights, at an early and at a regular end', async () => {
        for (const [epochs, reason] of [
            [50, 'early stopping'],
            [3, 'completed'],
        ] as const) {
            const { model, trainer, loader, optimizer } = setup();
            const seen: number[] = [];
            const worsen: Callback = {
                onEpochEnd: (record) => {
                    seen.push(record.validationLoss!);
                    optimizer.learningRate = -0.05;
                },
            };
            const history = await trainer.fit(loader, {
                epochs,
                validation: loader,
                callbacks: [new EarlyStopping({ patience: 3 }), worsen],
            });
            assert.equal(history.stopReason, reason);
            const after = await trainer.evaluate(loader);
            assert.ok(Math.abs(after.loss - Math.min(...seen)) < 1e-6);
            assert.ok(after.loss < seen.at(-1)!);
            assert.ok(Number.isFinite(model.w.item()));
        }
    });

    it('says what is missing when it has nothing to watch', async () => {
        const { trainer, loader } = setup();
        const callbacks = [new EarlyStopping()];
        await assert.rejects(
            trainer.fit(loader, { epochs: 1, callbacks }),
            /\[EarlyStopping\] monitors validationLoss.*validation data/,
        );
        assert.throws(() => new EarlyStopping({ patience: -1 }), /\[EarlyStopping\] patience/);
    });
});

describe('history files and progress', () => {
    it('writes one line per epoch', async () => {
        const folder = await mkdtemp(join(tmpdir(), 'nativegrad-history-'));
        const { trainer, loader } = setup();
        const [json, csv] = [join(folder, 'history.jsonl'), join(folder, 'history.csv')];
        let text = '';
        const { Writable } = await import('node:stream');
        const sink = new Writable({
            write(chunk: Buffer, _encoding, done) {
                text += chunk.toString();
                done();
            },
        });
        const callbacks = [new JsonLinesHistory(json), new CsvHistory(csv), new Progress(sink)];
        await trainer.fit(loader, { epochs: 2, validation: loader, callbacks });
        const lines = (await readFile(json, 'utf8')).trimEnd().split('\n');
        assert.deepEqual(
            lines.map((line) => (JSON.parse(line) as { epoch: number }).epoch),
            [1, 2],
        );
        const rows = (await readFile(csv, 'utf8')).trimEnd().split('\n');
        assert.equal(rows[0], 'epoch,loss,validation_loss,learning_rate,seconds');
        assert.equal(rows.length, 3);
        assert.match(
            text,
            /^epoch 1\/2 {2}loss [\d.e-]+ {2}validation loss [\d.e-]+ {2}[\d.]+ s\nepoch 2\/2/,
        );
    });
});

describe('Trainer from JavaScript', () => {
    const make = (options?: unknown): unknown => {
        const made: unknown = Reflect.construct(Trainer, [options]);
        return made;
    };

    it('says what its parts must be', () => {
        const { model, optimizer } = setup();
        const parts = { model, optimizer, loss: squared };
        assert.throws(
            () => make(),
            /\[Trainer\] options must be an object such as \{ model \}, got undefined/,
        );
        assert.throws(() => make({}), /\[Trainer\] model must be a Module, got undefined/);
        assert.throws(
            () => make({ ...parts, optimizer: 'adam' }),
            /optimizer must be an optimizer such as .*got the string "adam"/,
        );
        assert.throws(
            () => make({ ...parts, loss: 'mse' }),
            /\[Trainer\] loss must be a function \(outputs, targets\)/,
        );
        assert.throws(
            () => make({ ...parts, criterion: squared }),
            /unknown option 'criterion'; did you mean 'loss'\?/,
        );
        assert.throws(
            () => make({ ...parts, scheduleInterval: 'batch' }),
            /scheduleInterval must be 'step' or 'epoch'/,
        );
    });

    it('says what its batches must be', async () => {
        const { trainer, loader } = setup();
        const fit = (batches: unknown, options: unknown = { epochs: 1 }): Promise<unknown> =>
            (trainer.fit as (...values: unknown[]) => Promise<unknown>).call(trainer, batches, options);
        await assert.rejects(
            fit(loader.dataset),
            /must be a DataLoader, got a TensorDataset; wrap the data set: new data\.DataLoader/,
        );
        await assert.rejects(fit(undefined), /\[fit\] the batches must be a DataLoader, got undefined/);
        await assert.rejects(
            fit(loader, { epoch: 1 }),
            /\[fit\] unknown option 'epoch'; did you mean 'epochs'\?/,
        );
        await assert.rejects(fit(loader, null), /\[fit\] options must be an object such as \{ epochs \}/);
        await assert.rejects(
            fit([[[1], [2]]]),
            /\[fit\] the inputs of a batch must be a Tensor, got an array/,
        );
        await assert.rejects(fit([7]), /\[fit\] a batch must be \[inputs, targets\], got 7/);
    });

    it('says what its callbacks must be', async () => {
        const { trainer, loader, model } = setup();
        const fit = (callbacks: unknown): Promise<unknown> =>
            trainer.fit(loader, { epochs: 1, callbacks: callbacks as Callback[] });
        await assert.rejects(
            fit({ onEpochEnd: () => 0 }),
            /callbacks must be a list, got an object \{ onEpochEnd \}/,
        );
        await assert.rejects(
            fit([{ onEpochEnd: () => 0 }, { onEpochEnded: () => 0 }]),
            /callback 1 has 'onEpochEnded', which is no hook; did you mean 'onEpochEnd'\? Hooks are onTrainBegin/,
        );
        class Keras {
            onBatchEnd(): void {}
        }
        await assert.rejects(fit([new Keras()]), /has 'onBatchEnd', .* did you mean 'onStepEnd'/);
        await assert.rejects(
            fit([{ onSomethingElse: () => 0 }]),
            /has 'onSomethingElse', which is no hook; hooks are onTrainBegin/,
        );
        await assert.rejects(fit([{}]), /callback 0, an empty object, has no hook/);
        await assert.rejects(
            fit([EarlyStopping]),
            /with hooks, got the function EarlyStopping; is `new` missing/,
        );
        await assert.rejects(
            fit([() => 0]),
            /callback 0 must be an object with hooks, got a function; is `new` missing/,
        );
        await assert.rejects(fit([7]), /with hooks, got 7; write \{ onEpochEnd/);
        await assert.rejects(
            fit([{ onEpochEnd: 'x' }]),
            /onEpochEnd of callback 0 must be a function, got the string/,
        );
        assert.equal(model.mode, 'train');
        class Derived extends Progress {
            helper(): void {}
        }
        await fit([
            new Derived({ write: () => true } as never),
            { onEpochEnd: undefined, onTrainEnd: () => 0 },
        ]);
        assert.equal(model.mode, 'eval');
    });

    it('says what a loss function must return', async () => {
        const { model, optimizer, loader } = setup();
        const fitWith = (loss: unknown): Promise<unknown> => {
            const trainer = make({ model, optimizer, loss }) as train.Trainer;
            return trainer.fit(loader, { epochs: 1 });
        };
        await assert.rejects(
            fitWith((y: Tensor, t: Tensor) => Promise.resolve(squared(y, t))),
            /\[fit\] the loss function gave a Promise; .*without async/,
        );
        await assert.rejects(
            fitWith(() => 3),
            /\[fit\] what the loss function returns must be a Tensor, got 3/,
        );
    });
});
