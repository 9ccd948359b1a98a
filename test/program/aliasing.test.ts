import assert from 'node:assert/strict';
import { capture, manualSeed, nn, noGrad, ones, randn, zeros, type Tensor } from '../../lib/index.js';

/** First elements of three results of `step` on `x`. */
function threeTimes(step: (x: Tensor) => Tensor, x: Tensor): unknown[] {
    return [1, 2, 3].map(() => step(x).dataSync()[0]);
}

describe('capture of a step that writes what an input shares memory with', () => {
    const writes: [string, (w: Tensor) => void][] = [
        ['the tensor itself', (w) => void w.add_(1)],
        ['a view of it', (w) => void w.reshape([8, 8]).add_(1)],
    ];
    for (const [name, write] of writes) {
        for (const options of [{}, { fuse: false }, { validate: true }]) {
            it(`${name}, with ${JSON.stringify(options)}`, () => {
                const w = ones([64]);
                const step = (x: Tensor): Tensor => {
                    const y = x.mul(2);
                    write(w);
                    return y.add(3);
                };
                assert.deepEqual(threeTimes(capture(step, options), w), [5, 7, 9]);
                assert.deepEqual(w.dataSync()[0], 4);
            });
        }
    }

    it('puts calls together for other inputs only, with a program for each', () => {
        const w = ones([64]);
        const run = capture((x: Tensor) => {
            const y = x.mul(2);
            w.add_(1);
            return y.add(3);
        });
        const calls = (x: Tensor): number => run.profile(1, x).length;
        assert.equal(calls(ones([64])), 2);
        assert.equal(calls(w), 3);
        assert.equal(calls(w.reshape([64])), 3);
        assert.equal(calls(zeros([64])), 2);
        assert.equal(run.statistics.captures, 2);
        assert.equal(w.dataSync()[0], 5);
    });

    it('in many steps at once', async () => {
        const table = ones([3, 64]);
        const run = capture((x: Tensor) => {
            const y = x.mul(2);
            table.add_(1);
            return y.add(3).sum();
        });
        const { result } = await run.run(3, [table]);
        assert.deepEqual(result.toArray(), [5 * 64, 7 * 64, 9 * 64]);
    });

    it('with linear layers', () => {
        const values = [true, false].map((fuse) => {
            manualSeed(3);
            const layer = new nn.Linear(6, 6);
            const w = randn([6, 6]);
            const run = capture(
                (x: Tensor) => {
                    const y = layer.forward(x);
                    w.mul_(0.5);
                    return y.relu().add(x);
                },
                { fuse },
            );
            return noGrad(() => [run(w).toArray(), run(w).toArray()]);
        });
        assert.deepEqual(values[0], values[1]);
    });

    it('takes a gradient of an earlier call for what it was', () => {
        const w = ones([4]);
        w.requiresGrad = true;
        const step = (x: Tensor): Tensor => {
            w.grad = null;
            // Not the elements of x: a gradient that is written over x shows.
            w.mul(x).sum().mul(3).backward();
            return x.mul(2);
        };
        const results = [step, capture(step)].map((run) => {
            const seen = [run(ones([4]).mul(3)).dataSync()[0]];
            for (let i = 0; i < 3; i++) {
                assert.ok(w.grad);
                seen.push(run(w.grad).dataSync()[0]);
                noGrad(() => w.grad?.add_(1));
            }
            return seen;
        });
        assert.deepEqual(results[1], results[0]);
    });
});
