import assert from 'node:assert/strict';
import { cuda, emptyCache, memory, ones, scope, setDefaultDevice, type Device } from '../../../lib/index.js';
import { isSimulated } from '../../support/simulator.js';
import { prepare, readsOf } from './training_runs.js';

interface Held {
    /** By the device's own count, of this and other processes. */
    readonly ofDevice: number;
    readonly live: number;
    readonly cached: number;
    readonly tensors: number;
}

function held(): Held {
    cuda.synchronize();
    const { freeBytes, totalBytes } = cuda.memoryInfo();
    const { liveBytes: live, cachedBytes: cached, tensors } = memory('cuda');
    return { ofDevice: totalBytes - freeBytes, live, cached, tensors };
}

// A driver takes memory in pieces of 2 MiB, other processes come and go a little, and reads that are under way while another
// begins need a block more. A leak of 1 KiB a step is more than that on a GPU.
const slack = 4 << 20;

/** Runs `step` many times; after the first fifth the device may hold no more than before. */
async function assertFlat(
    steps: number,
    step: (i: number) => unknown,
    allowed = isSimulated() ? 0 : slack,
): Promise<void> {
    const marks: Held[] = [];
    for (let i = 0; i < steps; i++) {
        await step(i);
        if ((i + 1) % (steps / 5) === 0) marks.push(held());
    }
    const [first, ...later] = marks;
    const text = JSON.stringify(marks);
    for (const mark of later) {
        // Garbage of former tests may go meanwhile, and its blocks to the cache.
        assert.ok(mark.live <= first.live, text);
        assert.ok(mark.tensors <= first.tensors, text);
        assert.ok(mark.live + mark.cached <= first.live + first.cached + allowed, text);
        assert.ok(mark.ofDevice <= first.ofDevice + allowed, text);
    }
}

describe('memory of the device', function () {
    this.timeout(600_000);
    let former: Device = 'cpu';
    before(() => (former = setDefaultDevice('cuda')));
    after(() => setDefaultDevice(former));
    beforeEach(() => void emptyCache('cuda'));

    for (const captured of [false, true]) {
        it(`stays flat over training steps, ${captured ? 'captured' : 'eager'}`, async () => {
            const { batches, step } = prepare({ network: 'mlp', captured, precision: null, seed: 1 });
            await assertFlat(isSimulated() ? 100 : 6000, (i) => {
                const [x, y] = batches[i % batches.length];
                return readsOf(() => [step(x, y)]);
            });
        });
    }

    it('stays flat over reads that are awaited, small and large', async () => {
        const large = ones([100_000]);
        const step = (): Promise<unknown> => readsOf(() => [large.mul(2), large.sum(), large.add(large)]);
        await assertFlat(isSimulated() ? 50 : 2000, step, slack);
    });

    it('is given back when tensors go and the cache is emptied', () => {
        emptyCache('cuda');
        const start = held();
        scope(() => {
            const x = ones([4 << 20]).add(1);
            assert.ok(held().ofDevice >= start.ofDevice + 4 * x.size);
        });
        emptyCache('cuda');
        const end = held();
        assert.ok(end.live <= start.live, JSON.stringify([start, end]));
        assert.equal(end.cached, 0);
        assert.ok(end.ofDevice <= start.ofDevice + slack, JSON.stringify([start, end]));
    });
});
