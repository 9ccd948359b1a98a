import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
    data,
    loadTensors,
    manualSeed,
    nn,
    optim,
    randint,
    randn,
    train,
    type Tensor,
} from '../../lib/index.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

/** A module of one's own, which no file can describe. */
class Own extends nn.Module {
    readonly inner = new nn.Linear(4, 3);
    override forward(x: Tensor): Tensor {
        return this.inner.forward(x);
    }
}

type Model = nn.Module & { forward(x: Tensor): Tensor };

async function fit(model: Model, checkpoint: train.Checkpoint, epochs = 4, lr = 0.1): Promise<train.History> {
    manualSeed(3);
    const set = new data.TensorDataset(randn([24, 4]), randint(0, 3, [24], { dtype: 'int32' }));
    const loader = new data.DataLoader(set, { batchSize: 8 });
    const optimizer = new optim.SGD(model.parameters(), { lr });
    const trainer = new train.Trainer({ model, optimizer, loss: nn.crossEntropy });
    return trainer.fit(loader, { epochs, validation: loader, callbacks: [checkpoint] });
}

const weightsOf = (model: nn.Module): unknown => [...model.stateDict().values()].map((x) => x.toArray());

describe('train.Checkpoint', () => {
    const folder = useTemporaryFolder();

    it('saves the model whole after every epoch, or every few', async () => {
        const model = new nn.Sequential(new nn.Linear(4, 3));
        const path = join(folder(), 'every-{epoch}.safetensors');
        const checkpoint = new train.Checkpoint(path, { every: 2, info: { classNames: ['a', 'b', 'c'] } });
        await fit(model, checkpoint);
        assert.deepEqual(readdirSync(folder()).sort(), ['every-2.safetensors', 'every-4.safetensors']);
        assert.equal(checkpoint.savedEpoch, 4);
        const saved = await nn.loadModel(join(folder(), 'every-4.safetensors'));
        assert.deepEqual(weightsOf(saved.model), weightsOf(model));
        assert.deepEqual(saved.info.classNames, ['a', 'b', 'c']);
    });

    it('keeps the best epoch where it watches a figure', async () => {
        // A rate that makes the loss worse from some epoch on.
        const checkpoint = new train.Checkpoint(join(folder(), 'best.safetensors'), {
            monitor: 'validationLoss',
        });
        const history = await fit(new nn.Sequential(new nn.Linear(4, 3)), checkpoint, 8, 30);
        const losses = history.epochs.map(({ validationLoss }) => validationLoss ?? NaN);
        const best = 1 + losses.indexOf(Math.min(...losses));
        assert.ok(best < 8, `the last epoch is the best one: ${losses.join()}`);
        assert.equal(checkpoint.savedEpoch, best);
    });

    it('saves the tensors of a module of one’s own', async () => {
        const model = new Own();
        const path = join(folder(), 'own.safetensors');
        await fit(model, new train.Checkpoint(path), 1);
        const { tensors } = await loadTensors(path);
        assert.equal(tensors.size, 2);
        for (const [name, x] of model.stateDict())
            assert.deepEqual(tensors.get(name)?.toArray(), x.toArray());
    });

    it('refuses before the first epoch what no file can describe', async () => {
        const path = join(folder(), 'none.safetensors');
        const model = new nn.Sequential(new Own());
        await assert.rejects(fit(model, new train.Checkpoint(path)), nn.ConfigError);
        assert.equal(existsSync(path), false);
    });

    it('ends the fit with the error of a file that cannot be written', async () => {
        const checkpoint = new train.Checkpoint(join(folder(), 'missing', 'x.safetensors'));
        await assert.rejects(fit(new nn.Sequential(new nn.Linear(4, 3)), checkpoint), /missing/);
    });

    it('refuses wrong options', () => {
        assert.throws(() => new train.Checkpoint(''), /takes the path of the file/);
        assert.throws(
            () => new train.Checkpoint('x', { every: 0 }),
            /every must be a positive integer, got 0/,
        );
        assert.throws(() => new train.Checkpoint('x', { mode: 'up' as 'min' }), /'min' or 'max', got .*up/);
        assert.throws(() => new train.Checkpoint('x', { moniter: 'loss' } as object), /moniter/);
    });
});
