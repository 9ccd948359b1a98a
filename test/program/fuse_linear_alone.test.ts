import assert from 'node:assert/strict';
import { autocast, capture, nn, noGrad, randn, type Tensor } from '../../lib/index.js';

describe('capture leaves the calls of linear layers alone', () => {
    const layer = new nn.Linear(6, 5);
    const x = randn([4, 6]);

    function assertAlone(step: (x: Tensor) => readonly Tensor[], absent: RegExp): void {
        const wanted = noGrad(() => step(x)).map((item) => item.toArray());
        const run = capture(step);
        noGrad(() => {
            assert.deepEqual(
                run(x).map((item) => item.toArray()),
                wanted,
            );
            assert.deepEqual(
                run(x).map((item) => item.toArray()),
                wanted,
            );
            const calls = run.profile(1, x).map(({ op }) => op);
            assert.ok(!calls.some((op) => absent.test(op)), calls.join(' '));
        });
    }

    it('where an activation reads a part of the sums', () => {
        assertAlone((input) => [layer.forward(input).slice(1, 0, 3).relu()], /linear_activation/);
        assertAlone((input) => [layer.forward(input).transpose(0, 1).relu()], /linear_activation/);
    });

    it('where two activations read the sums', () => {
        assertAlone((input) => {
            const sums = layer.forward(input);
            return [sums.relu(), sums.tanh()];
        }, /linear_activation/);
    });

    it('where the sums are written to before the activation', () => {
        assertAlone((input) => [layer.forward(input).mul_(2).relu()], /linear_activation/);
        assertAlone((input) => [layer.forward(input).relu_()], /linear_activation/);
    });

    it('where the activation has another dtype', () => {
        assertAlone(
            (input) => [
                autocast('bfloat16', () => layer.forward(input))
                    .to('float32')
                    .relu(),
            ],
            /linear_activation/,
        );
    });

    it('where a residual is not there yet, the product is seen, or the order counts', () => {
        const residual = randn([4, 5]);
        assertAlone((input) => {
            const y = layer.forward(input);
            return [y.add(input.sum().mul(residual))];
        }, /linear_residual/);
        assertAlone((input) => {
            const y = layer.forward(input);
            return [y.add(residual), y];
        }, /linear_residual/);
        assertAlone((input) => [residual.sub(layer.forward(input))], /linear_residual/);
        assertAlone((input) => [layer.forward(input).add_(residual)], /linear_residual/);
        assertAlone((input) => {
            const y = layer.forward(input);
            return [y.add(y)];
        }, /linear_residual/);
        assertAlone((input) => [layer.forward(input).add(residual.slice(0, 0, 1))], /linear_residual/);
    });

    it('keeps the sums beside the activation where they are a result', () => {
        const run = capture((input: Tensor) => {
            const sums = layer.forward(input);
            return [sums, sums.relu()];
        });
        noGrad(() => {
            const sums = layer.forward(x);
            assert.deepEqual(
                run(x).map((item) => item.toArray()),
                [sums.toArray(), sums.relu().toArray()],
            );
            assert.ok(run.profile(1, x).some(({ op }) => op === 'linear_activation'));
        });
    });

    it('where a mask is read by somebody else, too', () => {
        const [first, last] = [new nn.Linear(6, 5), new nn.Linear(5, 5)];
        const model = new nn.Sequential(first, last);
        const input = randn([4, 6]);
        input.requiresGrad = true;
        const values = [true, false].map((fuse) => {
            const run = capture(
                (given: Tensor) => {
                    const hidden = first.forward(given);
                    const shared = hidden.relu();
                    const loss = last.forward(shared).sum().add(shared.square().sum());
                    loss.backward();
                    return [loss, ...model.parameters().map((p) => noGrad(() => p.grad?.clone() ?? p))];
                },
                { fuse },
            );
            for (const p of model.parameters()) p.grad = null;
            const results = run(x).map((item) => item.toArray());
            return { results, calls: run.profile(1, x).map(({ op }) => op) };
        });
        assert.deepEqual(values[0]?.results, values[1]?.results);
        // The product takes the other reader's gradient with it; the mask comes after that sum.
        const after = values[0]?.calls.slice(values[0].calls.indexOf('linear_backward_input')) ?? [];
        assert.equal(after.filter((op) => op === 'linear_backward_input').length, 1, after.join(' '));
        assert.ok(after.includes('binary'), after.join(' '));
    });
});
