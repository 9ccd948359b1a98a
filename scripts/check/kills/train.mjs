// A short training that goes on from its checkpoints: node train.mjs FOLDER SEED. Says on stdout what it went on from, each
// checkpoint once it is safe, and at the end the hash of all that was trained. Every other seed captures its steps.
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { data, manualSeed, nn, optim, tensor, train } from '../../../dist/js/index.js';

const [folder, seedText] = process.argv.slice(2);
const seed = Number(seedText);
const say = (text) => writeSync(1, `${text}\n`);

class TellingStore extends train.CheckpointStore {
    async save(step, state, details) {
        const path = await super.save(step, state, details);
        say(`saved ${step}`);
        return path;
    }
}

manualSeed(seed);
const values = (count, of) => Array.from({ length: count }, (_, i) => of(i));
const xs = tensor(values(192, (row) => values(8, (i) => Math.sin(row * 8 + i))));
const ys = tensor(
    values(192, (row) => row % 4),
    { dtype: 'int32' },
);
const model = new nn.Sequential(
    new nn.Linear(8, 16),
    new nn.BatchNorm1d(16),
    new nn.ReLU(),
    new nn.Dropout(0.3),
    new nn.Linear(16, 4),
);
const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
const loader = new data.DataLoader(new data.TensorDataset(xs, ys), { batchSize: 16, shuffle: true, seed });
const store = new TellingStore(folder, { every: { steps: 5 }, keepLast: 2 });
say(`resumed ${(await store.load())?.step ?? 0}`);
const trainer = new train.Trainer({ model, optimizer, loss: nn.crossEntropy, capture: seed % 2 === 1 });
await trainer.fit(loader, { epochs: 8, checkpoints: store, resume: 'auto' });
const hash = createHash('sha256');
for (const [name, x] of model.stateDict()) hash.update(`${name} ${Array.from(x.dataSync()).join(' ')}\n`);
for (const { tensors, step } of Object.values(optimizer.stateDict().state))
    for (const x of Object.values(tensors)) hash.update(`${step} ${Array.from(x.dataSync()).join(' ')}\n`);
say(`done ${hash.digest('hex')}`);
