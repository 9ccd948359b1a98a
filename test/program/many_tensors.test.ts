import assert from 'node:assert/strict';
import { capture, nn, ones, optim, split, stack, tensor, zeros, type Tensor } from '../../lib/index.js';

// The argument block of the addon has room for 4096 handles.
const count = 4200;

describe('capture of more tensors than the argument block has room for', () => {
    it('checks and replays a step that leaves as many gradients and changes as many parameters', () => {
        const weights = split(zeros([count]), 1).map((x) => new nn.Parameter(x.clone()));
        const optimizer = new optim.SGD(weights, { lr: 0.5 });
        const step = (x: Tensor): Tensor => {
            optimizer.zeroGrad();
            const loss = stack(weights).mul(x).sum();
            loss.backward();
            optimizer.step();
            return loss;
        };
        const run = capture(step, { validate: 1 });
        // Each step takes 0.5 from each weight.
        const losses = [1, 2, 3].map(() => run(ones([1])).item());
        assert.deepEqual(losses, [0, -0.5 * count, -count]);
        assert.equal(run.statistics.replays, 3);
        assert.deepEqual(new Set(weights.map((x) => x.item())), new Set([-1.5]));
        assert.deepEqual(new Set(weights.map((x) => x.grad?.item())), new Set([1]));
    });

    it('refuses results that one replay cannot bring, and says so', () => {
        const run = capture((x: Tensor) => split(x, 1));
        assert.throws(
            () => run(tensor(new Float32Array(count))),
            /^RangeError: \[capture\] the inputs and results of the step are too many for one replay/,
        );
    });
});
