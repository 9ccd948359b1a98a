import assert from 'node:assert/strict';
import {
    autocast,
    capture,
    linear,
    manualSeed,
    nn,
    noGrad,
    optim,
    randn,
    type Tensor,
} from '../../lib/index.js';
import type { CaptureOptions } from '../../lib/index.js';
import { CapturedProgram } from '../../lib/program/captured_program.js';
import { validate } from '../../lib/program/validate.js';
import { batch, setup, stateOf, type MakeOptimizer } from '../support/captured_setup.js';

const adam: MakeOptimizer = (p) => new optim.Adam(p, { lr: 1e-2, weightDecay: 0.01 });
const layers =
    (...between: (() => nn.Layer)[]) =>
    (): nn.Sequential =>
        new nn.Sequential(new nn.Linear(12, 70), ...between.map((make) => make()), new nn.Linear(70, 4));

/** The calls of a program that this file is about. */
function linearCalls(ops: readonly string[]): string[] {
    return ops.filter((op) => /^(linear|matmul|adam|sgd|unary)/.test(op));
}

/** Losses, state and gradients after some steps, and the calls of the program; gradients are left unless told. */
function trained(
    makeModel: () => nn.Sequential,
    makeOptimizer: MakeOptimizer,
    options: CaptureOptions,
    precision: 'float32' | 'bfloat16' | 'float16' = 'float32',
): { losses: number[]; state: unknown; gradients: unknown; calls: string[] } {
    manualSeed(6);
    const [x, y] = batch(16, [12]);
    const made = setup(makeModel, makeOptimizer);
    const { step } = made;
    const run = capture(
        precision === 'float32'
            ? step
            : (...given: [Tensor, Tensor]) => autocast(precision, () => step(...given)),
        options,
    );
    const losses = Array.from({ length: 4 }, () => run(x, y).item());
    const state = stateOf(made);
    const gradients = made.model.parameters().map((p) => p.grad?.toArray() ?? null);
    return { losses, state, gradients, calls: linearCalls(run.profile(1, x, y).map(({ op }) => op)) };
}

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
            const single = trained(layers(make), adam, { fuse: false });
            const fused = trained(layers(make), adam, {});
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
            const single = trained(makeModel, adam, { fuse: false }, precision);
            const fused = trained(makeModel, adam, { validate: true }, precision);
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

        it(`in ${precision}, the optimizer with gradients that nobody reads: the bits of the step`, () => {
            const makeModel = layers(() => new nn.ReLU());
            for (const [makeOptimizer, op] of [
                [adam, 'linear_backward_weight_adam'],
                [(p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9 }), 'linear_backward_weight_sgd'],
            ] as [MakeOptimizer, string][]) {
                const single = trained(makeModel, makeOptimizer, { fuse: false }, precision);
                const fused = trained(makeModel, makeOptimizer, { gradients: false }, precision);
                assert.deepEqual(fused.calls, [
                    'linear_activation',
                    'linear',
                    'linear_backward_input',
                    op,
                    op,
                ]);
                assert.deepEqual([fused.losses, fused.state], [single.losses, single.state]);
            }
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

    const optimizers: [string, MakeOptimizer, string][] = [
        ['Adam', adam, 'linear_backward_weight_adam'],
        ['AdamW', (p) => new optim.AdamW(p, { amsgrad: true }), 'linear_backward_weight_adam'],
        ['SGD', (p) => new optim.SGD(p, { lr: 0.1 }), 'linear_backward_weight_sgd'],
        [
            'SGD with momentum',
            (p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9, nesterov: true }),
            'linear_backward_weight_sgd',
        ],
    ];
    for (const [name, makeOptimizer, op] of optimizers) {
        it(`the step of ${name} with the gradients that nobody reads: the bits of the step`, () => {
            const makeModel = layers(() => new nn.ReLU());
            const single = trained(makeModel, makeOptimizer, { fuse: false });
            const fused = trained(makeModel, makeOptimizer, { gradients: false });
            assert.deepEqual(fused.calls, ['linear_activation', 'linear', 'linear_backward_input', op, op]);
            assert.deepEqual(fused.losses, single.losses);
            assert.deepEqual(fused.state, single.state);
            assert.deepEqual(fused.gradients, [null, null, null, null]);
        });
    }

    it('keeps the step of parameters that are not those of linear layers', () => {
        const makeModel = (): nn.Sequential =>
            new nn.Sequential(
                new nn.Linear(12, 8),
                new nn.LayerNorm([8]),
                new nn.Linear(8, 4, { bias: false }),
            );
        const single = trained(makeModel, adam, { fuse: false });
        const fused = trained(makeModel, adam, { gradients: false });
        assert.deepEqual(
            fused.calls.filter((op) => op.includes('adam')),
            ['linear_backward_weight_adam', 'linear_backward_weight_adam', 'adam_step'],
        );
        assert.deepEqual([fused.losses, fused.state], [single.losses, single.state]);
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

    it('checks what it has put together against the step', () => {
        const [x, y] = batch(8, [12]);
        const trainedWith = (validate: boolean): { losses: number[]; state: unknown } => {
            manualSeed(6);
            const made = setup(
                layers(() => new nn.ReLU()),
                adam,
            );
            const run = capture(made.step, { gradients: false, validate });
            return { losses: [1, 2, 3].map(() => run(x, y).item()), state: stateOf(made) };
        };
        assert.deepEqual(trainedWith(true), trainedWith(false));
    });

    it('finds fused calls that leave other numbers', () => {
        const [x, y] = batch(8, [12]);
        const made = setup(
            layers(() => new nn.ReLU()),
            adam,
        );
        const step = (...given: Tensor[]): Tensor => made.step(given[0] ?? x, given[1] ?? y);
        const options = { fuse: true, gradients: false };
        const program = CapturedProgram.record(step, [x, y], options, true);
        assert.ok(program.isFused);
        validate(program, () => step(x, y), [x, y]);
        const runNow = program.runNow.bind(program);
        program.runNow = (prepared) => {
            runNow(prepared);
            noGrad(() => made.model.parameters()[0]?.add_(0.5));
        };
        const wanted = noGrad(() => made.model.parameters()[0]?.clone());
        assert.throws(
            () => validate(program, () => step(x, y), [x, y]),
            /fused calls differ .*written tensor \d+ of shape \[70, 12\] differs by up to 0\.5/,
        );
        const moved = noGrad(() =>
            made.model
                .parameters()[0]
                ?.sub(wanted ?? 0)
                .abs()
                .max()
                .item(),
        );
        assert.ok(moved !== undefined && moved < 0.1, `what the check did is taken back, moved by ${moved}`);
    });
});

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

    /** One step in which `look` does something with the gradients before the optimizer. */
    function withOptimizer(
        look: (parameters: readonly Tensor[], dx: () => Tensor) => Tensor | undefined,
        options: CaptureOptions = { gradients: false },
    ): { calls: string[]; values: unknown[] } {
        manualSeed(1);
        const model = new nn.Linear(6, 5);
        const optimizer = new optim.Adam(model.parameters(), { lr: 0.1 });
        const step = (input: Tensor): Tensor[] => {
            optimizer.zeroGrad();
            const loss = model.forward(input).square().mean();
            loss.backward();
            const seen = look(model.parameters(), () => input.mul(2));
            optimizer.step();
            return seen ? [loss, seen] : [loss];
        };
        const run = capture(step, options);
        const values = [run(x), run(x)].map((results) => results.map((item) => item.toArray()));
        return { calls: run.profile(1, x).map(({ op }) => op), values: [values, model.weight.toArray()] };
    }

    const looks: [string, Parameters<typeof withOptimizer>[0]][] = [
        ['the step returns a gradient', ([weight]) => noGrad(() => weight?.grad?.clone())],
        ['gradients are clipped', (parameters) => optim.clipGradNorm(parameters, 0.1)],
        [
            'a gradient is scaled in place',
            ([weight]) => {
                noGrad(() => weight?.grad?.mul_(0.5));
                return undefined;
            },
        ],
        ['the weight is read before the update is due', ([weight]) => noGrad(() => weight?.mul(2).sum())],
        [
            'the weight is written before the update is due',
            ([weight]) => {
                noGrad(() => weight?.mul_(0.9));
                return undefined;
            },
        ],
    ];
    for (const [name, look] of looks) {
        it(`where ${name}`, () => {
            const fused = withOptimizer(look);
            assert.ok(!fused.calls.includes('linear_backward_weight_adam'), fused.calls.join(' '));
            assert.deepEqual(fused.values, withOptimizer(look, { fuse: false }).values);
        });
    }

    it('where the gradients stay in .grad', () => {
        assert.ok(!withOptimizer(() => undefined, {}).calls.includes('linear_backward_weight_adam'));
        assert.ok(withOptimizer(() => undefined).calls.includes('linear_backward_weight_adam'));
    });

    it('where gradients are summed over steps', () => {
        const model = new nn.Linear(6, 5);
        const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
        const step = (input: Tensor): Tensor => {
            const loss = model.forward(input).square().mean();
            loss.backward();
            optimizer.step();
            return loss;
        };
        const start = model.weight.detach().clone();
        const losses = [true, false].map((isCaptured) => {
            noGrad(() => model.weight.copy_(start).sum() && model.bias?.fill_(0));
            for (const p of model.parameters()) p.grad = null;
            const run = isCaptured ? capture(step, { gradients: false }) : step;
            return Array.from({ length: 3 }, () => run(x).item());
        });
        assert.deepEqual(losses[0], losses[1]);
    });

    it('where parameters are float64', () => {
        const w = randn([6, 5], { dtype: 'float64' });
        w.requiresGrad = true;
        const optimizer = new optim.Adam([w]);
        const run = capture(
            (input: Tensor) => {
                optimizer.zeroGrad();
                input.to('float64').matmul(w).sum().backward();
                optimizer.step();
                return w;
            },
            { gradients: false },
        );
        run(x);
        assert.ok(!run.profile(1, x).some(({ op }) => op === 'linear_backward_weight_adam'));
    });

    it('where a mask is read by somebody else, too', () => {
        const model = new nn.Sequential(new nn.Linear(6, 5), new nn.ReLU(), new nn.Linear(5, 5));
        const input = randn([4, 6]);
        input.requiresGrad = true;
        const values = [true, false].map((fuse) => {
            const run = capture(
                (given: Tensor) => {
                    const hidden = model.at(0).forward(given);
                    const shared = hidden.relu();
                    const loss = model.at(2).forward(shared).sum().add(shared.square().sum());
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
