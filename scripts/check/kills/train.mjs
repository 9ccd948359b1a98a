// A short training that goes on from its checkpoints: node train.mjs FOLDER SEED. Says on stdout what it went on from, each
// checkpoint once it is safe, and at the end the hash of all that its last checkpoint holds. The seed says what is trained.
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { data, manualSeed, nn, optim, Tensor, tensor, train } from '../../../dist/js/index.js';

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
const set = new data.TensorDataset(xs, ys);
const loader = new data.DataLoader(set, { batchSize: 16, shuffle: true, seed });
const [epochs, steps] = [8, 8 * loader.length];
const averaged = () => new optim.ExponentialMovingAverage(model, { decay: 0.9 });
const oneCycle = (optimizer) => new optim.OneCycleLR(optimizer, { maxLr: 0.05, totalSteps: steps });
/** Optimizer, options of the Trainer and callbacks, by the seed. */
const trainings = [
    () => ({ optimizer: new optim.Adam(model.parameters(), { lr: 0.01 }), capture: true }),
    () => ({ optimizer: new optim.Adam(model.parameters(), { lr: 0.01 }), capture: false }),
    () => {
        const optimizer = new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });
        return { optimizer, capture: true, schedule: oneCycle(optimizer), scheduleInterval: 'step' };
    },
    () => ({
        optimizer: new optim.AdamW(model.parameters(), { lr: 0.01 }),
        capture: false,
        average: averaged(),
        callbacks: [new train.EarlyStopping({ monitor: 'loss', patience: 100 })],
    }),
    () => ({
        optimizer: new optim.Adam(model.parameters(), { lr: 0.01 }),
        capture: true,
        precision: 'float16',
        scaler: new optim.GradScaler({ initScale: 2 ** 40, growthInterval: 7 }),
    }),
    () => {
        const optimizer = new optim.RMSprop(model.parameters(), { lr: 0.005, momentum: 0.5 });
        const schedule = new optim.CosineAnnealingLR(optimizer, { tMax: epochs });
        return { optimizer, capture: true, precision: 'bfloat16', average: averaged(), schedule };
    },
];
const { callbacks = [], ...options } = trainings[(seed - 1) % trainings.length]();
const store = new TellingStore(folder, { every: { steps: 5 }, keepLast: 2 });
say(`resumed ${(await store.load())?.step ?? 0}`);
const trainer = new train.Trainer({ model, loss: nn.crossEntropy, ...options });
await trainer.fit(loader, { epochs, callbacks, checkpoints: store, resume: 'auto' });

/** As JSON knows it; times are not of the training. */
function plain(key, value) {
    if (key === 'seconds') return undefined;
    if (value instanceof Tensor) return Array.from(value.dataSync(), String);
    return value instanceof Map ? [...value] : value;
}
const { state } = await store.load();
say(`done ${createHash('sha256').update(JSON.stringify(state, plain)).digest('hex')}`);
