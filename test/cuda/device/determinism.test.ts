import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { emptyCache, setDefaultDevice, zeros, type Device, type LowPrecision } from '../../../lib/index.js';
import { isSimulated } from '../../support/simulator.js';
import { prepare, readsOf, type RunOptions } from './training_runs.js';

/** Digest of all losses and of the bits of all parameters and buffers after some steps. */
async function digestOf(options: RunOptions, steps: number): Promise<string> {
    const hash = createHash('sha256');
    const { model, batches, step } = prepare(options);
    for (let i = 0; i < steps; i++) {
        const [x, y] = batches[i % batches.length];
        for (const loss of await readsOf(() => [step(x, y)])) hash.update(loss);
    }
    for (const [name, x] of model.stateDict()) hash.update(name).update(await x.data());
    return hash.digest('hex');
}

describe('two runs from one seed', function () {
    this.timeout(600_000);
    let former: Device = 'cpu';
    before(() => (former = setDefaultDevice('cuda')));
    after(() => setDefaultDevice(former));

    for (const network of ['mlp', 'cnn'] as const) {
        for (const captured of [false, true]) {
            for (const precision of [null, 'bfloat16'] as (LowPrecision | null)[]) {
                const how = `${network}, ${captured ? 'captured' : 'eager'}, ${precision ?? 'float32'}`;
                it(`give the same bits: ${how}`, async () => {
                    const steps = isSimulated() ? 3 : 100;
                    const options = { network, captured, precision, seed: 3 };
                    const first = await digestOf(options, steps);
                    // Other addresses, and memory that holds something else.
                    emptyCache('cuda');
                    const between = zeros([100_003]).add(7);
                    assert.equal(await digestOf(options, steps), first);
                    assert.notEqual(await digestOf({ ...options, seed: 4 }, steps), first);
                    between.dispose();
                });
            }
        }
    }
});
