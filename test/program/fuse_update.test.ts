import assert from 'node:assert/strict';
import {
    capture,
    manualSeed,
    nn,
    noGrad,
    optim,
    randn,
    type CaptureOptions,
    type Tensor,
} from '../../lib/index.js';
import { batch, setup, stateOf, type MakeOptimizer } from '../support/captured_setup.js';
import { adamWithDecay, layers, trained } from '../support/linear_training.js';

describe('capture puts the optimizer into the gradients of linear layers', () => {
    const optimizers: [string, MakeOptimizer, string][] = [
        ['Adam', adamWithDecay, 'linear_backward_weight_adam'],
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
        const single = trained(makeModel, adamWithDecay, { fuse: false });
        const fused = trained(makeModel, adamWithDecay, { gradients: false });
        assert.deepEqual(
            fused.calls.filter((op) => op.includes('adam')),
            ['linear_backward_weight_adam', 'linear_backward_weight_adam', 'adam_step'],
        );
        assert.deepEqual([fused.losses, fused.state], [single.losses, single.state]);
    });

    for (const precision of ['bfloat16', 'float16'] as const) {
        it(`in ${precision}, the optimizer with gradients that nobody reads: the bits of the step`, () => {
            const makeModel = layers(() => new nn.ReLU());
            for (const [makeOptimizer, op] of [
                [adamWithDecay, 'linear_backward_weight_adam'],
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

    it('checks what it has put together against the step', () => {
        const [x, y] = batch(8, [12]);
        const trainedWith = (validate: boolean): { losses: number[]; state: unknown } => {
            manualSeed(6);
            const made = setup(
                layers(() => new nn.ReLU()),
                adamWithDecay,
            );
            const run = capture(made.step, { gradients: false, validate });
            return { losses: [1, 2, 3].map(() => run(x, y).item()), state: stateOf(made) };
        };
        assert.deepEqual(trainedWith(true), trainedWith(false));
    });
});

describe('capture leaves the optimizer alone', () => {
    const x = randn([4, 6]);

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
});
