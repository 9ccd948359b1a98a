import assert from 'node:assert/strict';
import {
    autocast,
    capture,
    linear,
    nn,
    noGrad,
    optim,
    randn,
    type CaptureOptions,
    type Tensor,
} from '../../lib/index.js';
import { adamWithDecay, layers, linearCalls, trained } from '../support/linear_training.js';

describe('capture puts the calls of linear layers together', () => {
    const activations: [string, () => nn.Layer][] = [
        ['relu', () => new nn.ReLU()],
        ['tanh', () => new nn.Tanh()],
        ['gelu', () => new nn.GELU()],
        ['silu', () => new nn.SiLU()],
        ['leaky relu', () => new nn.LeakyReLU(0.1)],
    ];
    for (const [name, make] of activations) {
        it(`${name} and its backward pass, bias gradients: the bits of the step`, () => {
            const single = trained(layers(make), adamWithDecay, { fuse: false });
            const fused = trained(layers(make), adamWithDecay, {});
            assert.deepEqual(fused.calls, [
                'linear_activation',
                'linear',
                'linear_backward_input',
                'linear_backward_weight',
                'linear_backward_weight',
                'adam_step',
            ]);
            assert.deepEqual({ ...fused, calls: 0 }, { ...single, calls: 0 });
        });
    }

    for (const precision of ['bfloat16', 'float16'] as const) {
        it(`in ${precision}, gradients cast as they are made: the bits of the step`, () => {
            const makeModel = layers(() => new nn.GELU());
            const single = trained(makeModel, adamWithDecay, { fuse: false }, precision);
            const fused = trained(makeModel, adamWithDecay, { validate: true }, precision);
            assert.deepEqual(fused.calls, [
                'linear_activation',
                'linear',
                'linear_backward_input',
                'linear_backward_weight',
                'linear_backward_weight',
                'adam_step',
            ]);
            assert.deepEqual({ ...fused, calls: 0 }, { ...single, calls: 0 });
        });
    }

    it('in bfloat16, leaves a gradient as it is where more than a cast reads it', () => {
        const [x, w] = [randn([6, 5]).to('bfloat16'), randn([4, 5]).to('bfloat16')];
        w.requiresGrad = true;
        const seen = (isShared: boolean, options: CaptureOptions): { values: unknown; calls: string[] } => {
            const run = capture((input: Tensor) => {
                w.grad = null;
                linear(input, w).square().sum().backward();
                return noGrad(() => {
                    const [dw] = [w.grad ?? input];
                    return isShared ? [dw.to('float32'), dw.mul(2)] : [dw.to('float32')];
                });
            }, options);
            const values = run(x).map((made) => made.toArray());
            return { values, calls: run.profile(1, x).map(({ op }) => op) };
        };
        for (const isShared of [false, true]) {
            const fused = seen(isShared, { gradients: false });
            assert.deepEqual(fused.values, seen(isShared, { fuse: false }).values);
            assert.equal(fused.calls.includes('copy'), isShared, fused.calls.join(' '));
        }
    });

    const residuals: [string, (layer: nn.Linear, x: Tensor) => Tensor][] = [
        ['behind the layer', (layer, x) => layer.forward(x).add(x)],
        ['in front of it', (layer, x) => x.add(layer.forward(x))],
        ['with a function behind it', (layer, x) => layer.forward(x).add(x).tanh()],
        ['of another layer', (layer, x) => x.relu().add(layer.forward(x))],
    ];
    for (const precision of ['float32', 'bfloat16'] as const) {
        for (const [name, block] of residuals) {
            it(`a residual ${name}, ${precision}: the bits of the step`, () => {
                const layer = new nn.Linear(12, 12, { bias: name !== 'in front of it' });
                const optimizer = new optim.SGD(layer.parameters(), { lr: 0.1 });
                const x = randn([3, 5, 12]);
                const start = layer.parameters().map((p) => p.detach().clone());
                const results = [{ fuse: false }, {}].map((options) => {
                    noGrad(() => layer.parameters().forEach((p, i) => p.copy_(start[i] ?? p)));
                    const run = capture((input: Tensor) => {
                        optimizer.zeroGrad();
                        const y = autocast(precision === 'bfloat16' ? precision : null, () =>
                            block(layer, input.to(precision)),
                        );
                        const loss = y.to('float32').square().mean();
                        loss.backward();
                        optimizer.step();
                        return [loss, y];
                    }, options);
                    const values = [run(x), run(x)].map((step) => step.map((made) => made.toArray()));
                    return { values, calls: run.profile(1, x).map(({ op }) => op) };
                });
                assert.deepEqual(results[1]?.values, results[0]?.values);
                assert.ok(results[1]?.calls.includes('linear_residual'), results[1]?.calls.join(' '));
            });
        }
    }

    it('a product in place of a layer, and more dimensions than two', () => {
        const w = randn([12, 6]);
        w.requiresGrad = true;
        const layer = new nn.Linear(6, 6);
        const start = [w, ...layer.parameters()].map((p) => p.detach().clone());
        const x = randn([3, 5, 12]);
        const results = [{ fuse: false }, { gradients: false }].map((options) => {
            noGrad(() => {
                [w, ...layer.parameters()].forEach((p, i) => p.copy_(start[i] ?? p));
            });
            const optimizer = new optim.SGD([w, ...layer.parameters()], { lr: 0.1 });
            const run = capture((input: Tensor) => {
                optimizer.zeroGrad();
                const loss = layer
                    .forward(input.reshape([15, 12]).matmul(w).reshape([3, 5, 6]))
                    .tanh()
                    .square()
                    .mean();
                loss.backward();
                optimizer.step();
                return loss;
            }, options);
            const losses = [run(x).item(), run(x).item()];
            return { losses, calls: linearCalls(run.profile(1, x).map(({ op }) => op)) };
        });
        assert.deepEqual(results[1]?.losses, results[0]?.losses);
        assert.deepEqual(
            results[1]?.calls.filter((op) => /activation|sgd/.test(op)),
            ['linear_activation', 'linear_backward_weight_sgd', 'linear_backward_weight_sgd'],
        );
    });
});
