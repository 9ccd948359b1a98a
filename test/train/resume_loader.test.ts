import assert from 'node:assert/strict';
import { join } from 'node:path';
import { data, manualSeed, nn, optim, randint, randn, train } from '../../lib/index.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

/** A loader of the user's own: the trainer knows nothing of its order. */
class OwnLoader extends data.DataLoader {}

type Where = 'onTrainBegin' | 'onEpochBegin' | 'onStepsEnd' | 'onEpochEnd';

const epochs = 2;
/** Of 14 samples, the last one short. */
const batchesOfEpoch = 4;

interface Plan {
    readonly Loader: typeof data.DataLoader;
    readonly capture: boolean;
    /** Hooks in which a callback begins a loop over the training loader. */
    readonly where: readonly Where[];
}

/** The losses of a fit, or of its end, and the weights. */
async function fit({ Loader, capture, where }: Plan, options: Partial<train.FitOptions>): Promise<unknown> {
    manualSeed(3);
    const set = new data.TensorDataset(randn([14, 5]), randint(0, 3, [14], { dtype: 'int32' }));
    const loader = new Loader(set, { batchSize: 4, shuffle: true, seed: 2 });
    const model = new nn.Linear(5, 3);
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.3 });
    const trainer = new train.Trainer({ model, optimizer, loss: nn.crossEntropy, capture });
    const look = (): void => void loader[Symbol.iterator]().next();
    // Captured steps are told several at once, as many as the machine is fast.
    const lookForEach = (records: readonly unknown[]): void => records.forEach(look);
    const callbacks = where.map((hook) => ({ [hook]: hook === 'onStepsEnd' ? lookForEach : look }));
    const history = await trainer.fit(loader, { epochs, callbacks, ...options });
    return [history.epochs.map(({ loss }) => loss), [...model.parameters()].map((x) => x.toArray())];
}

describe('resume of a fit whose loader is used besides', () => {
    const folder = useTemporaryFolder();
    const hooks: readonly Where[] = ['onTrainBegin', 'onEpochBegin', 'onStepsEnd', 'onEpochEnd'];
    const ways = [
        ['captured', data.DataLoader, true],
        ['eager', data.DataLoader, false],
        ["eager, a loader of the user's own", OwnLoader, false],
    ] as const;

    for (const [name, Loader, capture] of ways) {
        it(`goes on with the order of the epoch that was cut: ${name}`, async () => {
            for (const where of [[], ['onStepsEnd'], hooks] as const) {
                const plan = { Loader, capture, where };
                const whole = await fit(plan, {});
                for (let maxSteps = 1; maxSteps < epochs * batchesOfEpoch; maxSteps++) {
                    const path = join(folder(), `${where.join('-')}-${maxSteps}`);
                    const store = (): train.CheckpointStore => new train.CheckpointStore(path);
                    await fit(plan, { checkpoints: store(), maxSteps });
                    const rest = await fit(plan, { checkpoints: store(), resume: 'auto' });
                    assert.deepEqual(rest, whole, `${where.join()} and cut after step ${maxSteps}`);
                }
            }
        });
    }
});
