import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { data, manualSeed, nn, optim, randint, randn, train } from '../../lib/index.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

/** A small training, made anew: three batches an epoch. */
function training(): { trainer: train.Trainer; loader: data.DataLoader } {
    manualSeed(4);
    const set = new data.TensorDataset(randn([12, 4]), randint(0, 2, [12], { dtype: 'int32' }));
    const model = new nn.Linear(4, 2);
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
    const trainer = new train.Trainer({ model, optimizer, loss: nn.crossEntropy });
    return { trainer, loader: new data.DataLoader(set, { batchSize: 4 }) };
}

describe('checkpoints of a fit', function () {
    this.timeout(60_000);
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
        const callbacks = [{ stateDict: () => ({ when: new Date(0) }), onEpochEnd: () => void epochs++ }];
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
});
