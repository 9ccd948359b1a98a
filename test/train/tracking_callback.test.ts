import assert from 'node:assert/strict';
import { join } from 'node:path';

import { data, nn, optim, randn, tensor, track, train } from '../../lib/index.js';
import { readWholeLog } from '../../lib/track/run_log.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

describe('TrackingCallback', () => {
    const folder = useTemporaryFolder();

    it('logs the figures of each epoch at its number, and why the fit ended', async () => {
        const model = new nn.Sequential(new nn.Linear(4, 2));
        const set = new data.TensorDataset(randn([8, 4]), tensor(new Int32Array(8)));
        const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
        const trainer = new train.Trainer({ model, optimizer, loss: nn.crossEntropy });
        const run = await track.startRun({ folder: folder() });
        const callback = new train.TrackingCallback(run, { samplesPerEpoch: 8 });
        const batches = new data.DataLoader(set, { batchSize: 4 });
        const history = await trainer.fit(batches, { epochs: 2, callbacks: [callback] });
        await run.end();
        const records = await readWholeLog(join(folder(), 'tracking.jsonl'));
        const logged = records.filter((record) => record.type === 'metrics');
        assert.deepEqual(
            logged.map(({ step, metrics }) => [step, metrics.loss]),
            history.epochs.map(({ epoch, loss }) => [epoch, loss]),
        );
        assert.ok(logged.every(({ metrics }) => Number(metrics.samples_per_second) > 0));
        const tags = records.filter((record) => record.type === 'tags');
        assert.equal(tags[0]?.tags.stop_reason, 'completed');
    });

    it('counts the steps on after a resume, where the batches have no length', async () => {
        const set = new data.TensorDataset(randn([8, 4]), tensor(new Int32Array(8)));
        const batches = {
            [Symbol.iterator]: () => new data.DataLoader(set, { batchSize: 2 })[Symbol.iterator](),
        };
        const pointsOf = async (name: string, options: Partial<train.FitOptions>): Promise<unknown> => {
            const model = new nn.Linear(4, 2);
            const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
            const trainer = new train.Trainer({ model, optimizer, loss: nn.crossEntropy });
            const run = await track.startRun({ folder: join(folder(), name) });
            const callbacks = [new train.TrackingCallback(run, { everySteps: 2 })];
            const checkpoints = new train.CheckpointStore(join(folder(), 'checkpoints'));
            await trainer.fit(batches, { epochs: 2, callbacks, checkpoints, ...options });
            await run.end();
            return (await track.readRun(run.folder))?.metrics.get('batch/loss')?.map(({ step }) => step);
        };
        assert.deepEqual(await pointsOf('first', { maxSteps: 5 }), [2, 4]);
        assert.deepEqual(await pointsOf('second', { resume: 'auto' }), [6, 8]);
    });
});
