import assert from 'node:assert/strict';
import { autocast, capture, manualSeed, nn, noGrad, optim, randn, type Tensor } from '../../lib/index.js';
import { setup, batch } from '../support/captured_setup.js';

describe('capture puts calls together', () => {
    /** A convolution without a bias (whose gradient batch norm makes rounding alone), then `layers`. */
    const network = (features: number, ...layers: nn.Layer[]): nn.Sequential =>
        new nn.Sequential(
            new nn.Conv2d(1, 4, 3, { padding: 1, bias: false }),
            ...layers,
            new nn.Flatten(),
            new nn.Linear(features, 4),
        );
    const cases: [string, () => nn.Sequential, string[]][] = [
        [
            'batch norm and relu',
            () => network(400, new nn.BatchNorm2d(4), new nn.ReLU()),
            ['conv2d_statistics', 'batch_norm_relu', 'batch_norm_relu_backward'],
        ],
        [
            'batch norm, relu and pooling',
            () => network(100, new nn.BatchNorm2d(4), new nn.ReLU(), new nn.MaxPool2d(2)),
            ['conv2d_statistics', 'batch_norm_relu_pool', 'batch_norm_relu_pool_backward'],
        ],
        [
            'batch norm and relu before a pooling of another kind',
            () => network(36, new nn.BatchNorm2d(4), new nn.ReLU(), new nn.MaxPool2d(3)),
            [
                'conv2d_statistics',
                'batch_norm_relu',
                'max_pool2d',
                'max_pool2d_backward',
                'batch_norm_relu_backward',
            ],
        ],
        ['a convolution and relu', () => network(400, new nn.ReLU()), ['conv2d_relu']],
        [
            'a convolution behind the relu of another',
            () => network(400, new nn.ReLU(), new nn.Conv2d(4, 4, 3, { padding: 1 })),
            ['conv2d_relu', 'conv2d', 'conv2d_backward_input_relu'],
        ],
        [
            'a convolution behind relu and pooling',
            () => network(100, new nn.ReLU(), new nn.MaxPool2d(2), new nn.Conv2d(4, 4, 3, { padding: 1 })),
            ['conv2d_relu', 'max_pool2d', 'conv2d', 'conv2d_backward_input_relu', 'max_pool2d_backward'],
        ],
        [
            'a convolution behind relu and pooling of windows that overlap',
            () =>
                network(
                    64,
                    new nn.ReLU(),
                    new nn.MaxPool2d(4, { stride: 2 }),
                    new nn.Conv2d(4, 4, 3, { padding: 1 }),
                ),
            ['conv2d_relu', 'max_pool2d', 'conv2d', 'conv2d_backward_input_relu', 'max_pool2d_backward'],
        ],
        [
            'not the gradient of an input in front of another activation',
            () => network(400, new nn.Tanh(), new nn.Conv2d(4, 4, 3, { padding: 1 })),
            ['conv2d', 'conv2d', 'conv2d_backward_input'],
        ],
        ['nothing of a convolution and another activation', () => network(400, new nn.Tanh()), ['conv2d']],
        [
            'nothing around another activation',
            () => network(100, new nn.BatchNorm2d(4), new nn.Tanh(), new nn.MaxPool2d(2)),
            ['conv2d_statistics', 'batch_norm', 'max_pool2d', 'max_pool2d_backward', 'batch_norm_backward'],
        ],
    ];
    const interesting = /norm|pool|conv2d(_statistics|_relu|_backward_input|_backward_input_relu)?$/;

    for (const [name, makeModel, expected] of cases) {
        it(`${name}: fewer calls, the results of the step`, () => {
            manualSeed(6);
            const [x, y] = batch(16, [1, 10, 10]);
            const results = [false, true].map((fuse) => {
                const made = setup(makeModel, (p) => new optim.SGD(p, { lr: 0.1 }));
                const run = capture(made.step, { fuse });
                const losses = Array.from({ length: 4 }, () => run(x, y).item());
                const gradients = made.model
                    .parameters()
                    .map((p) => Array.from(p.grad?.dataSync() ?? [], Number));
                const calls = run.profile(1, x, y).map(({ op }) => op);
                return { losses, gradients, calls };
            });
            const [single, fused] = results;
            assert.ok(single && fused);
            assert.deepEqual(
                fused.calls.filter((op) => interesting.test(op)),
                expected,
            );
            fused.losses.forEach((loss, i) => {
                assert.ok(Math.abs(loss - (single.losses[i] ?? 0)) <= 1e-5, `step ${i}`);
            });
            fused.gradients.forEach((gradient, i) => {
                const other = single.gradients[i] ?? [];
                const most = Math.max(...other.map(Math.abs));
                gradient.forEach((value, j) => {
                    assert.ok(Math.abs(value - (other[j] ?? 0)) <= 1e-4 * most + 1e-7, `parameter ${i}`);
                });
            });
        });
    }

    it('the gradients of relu, pooling and a convolution with the bits of the single calls', () => {
        const [x, kept] = [randn([3, 4, 12, 10]), randn([3, 4, 5, 4])];
        const conv = new nn.Conv2d(4, 4, 3, { padding: 1 });
        const steps: [string, number, (x: Tensor) => Tensor][] = [
            ['early', 0, (a) => conv.forward(a.relu().maxPool2d(3, { stride: 2 }))],
            ['without a convolution', 0, (a) => a.relu().maxPool2d(3, { stride: 2 }).mul(kept)],
            [
                'where two read the result',
                1,
                (a) => [a.relu()].map((y) => y.maxPool2d(3, { stride: 2 }).sum().add(y.sum()))[0] ?? a,
            ],
        ];
        for (const [name, masks, step] of steps) {
            const [single, fused] = [false, true].map((fuse) => {
                const input = x.clone();
                input.requiresGrad = true;
                const run = capture(
                    (given: Tensor) => {
                        input.grad = null;
                        step(input.add(given)).square().sum().backward();
                        return [noGrad(() => input.grad?.clone() ?? given)];
                    },
                    { fuse },
                );
                const got = run(x).map((made) => made.toArray());
                return {
                    got,
                    calls: run
                        .profile(1, x)
                        .filter(
                            ({ op, shapes }) => /binary|chain/.test(op) && shapes.endsWith('[3, 4, 12, 10]'),
                        ).length,
                };
            });
            assert.deepEqual(fused?.got, single?.got, name);
            // The sum in front of the relu is always there.
            assert.equal((fused?.calls ?? 0) - 1 > 0, masks > 0, `${name}: ${fused?.calls} calls`);
        }
    });

    it('a convolution and relu only where nobody sees what lies between', () => {
        const conv = new nn.Conv2d(2, 3, 3);
        const x = randn([2, 2, 5, 5]);
        const kept = randn([2, 3, 3, 3]);
        const steps: [string, (x: Tensor) => Tensor[]][] = [
            ['conv2d_relu', (x) => [conv.forward(x).relu()]],
            ['conv2d_relu', (x) => [autocast('bfloat16', () => conv.forward(x).relu())]],
            [
                'conv2d',
                (x) => [
                    autocast('bfloat16', () => conv.forward(x))
                        .to('float32')
                        .relu(),
                ],
            ],
            ['conv2d', (x) => [conv.forward(x)].flatMap((y) => [y, y.relu()])],
            ['conv2d', (x) => [conv.forward(x)].flatMap((y) => [y.relu(), y.mul(2)])],
            ['conv2d', (x) => [conv.forward(x).slice(2, 1, 3).relu()]],
            ['conv2d', (x) => [conv.forward(x)].flatMap((y) => [y.add(kept), kept.copy_(y.relu())])],
        ];
        for (const [op, step] of steps) {
            const before = kept.clone();
            const run = capture(step);
            const got = noGrad(() => run(x)).map((item) => item.toArray());
            const calls = noGrad(() => run.profile(1, x)).map((call) => call.op);
            assert.ok(calls.includes(op), `${op} in ${calls.join(', ')}`);
            kept.copy_(before);
            const wanted = noGrad(() => step(x)).map((item) => item.toArray());
            assert.deepEqual(got, wanted);
        }
    });

    it('only where nobody sees what lies between', () => {
        const norm = new nn.BatchNorm2d(2);
        const between: ((x: Tensor) => Tensor[])[] = [
            (x) => {
                const y = norm.forward(x);
                return [y, y.relu()];
            },
            (x) => {
                const y = norm.forward(x);
                return [y.relu(), y.mul(2)];
            },
            (x) => {
                const y = norm.forward(x).relu();
                return [y.maxPool2d(2), y];
            },
        ];
        const x = randn([3, 2, 4, 4]);
        norm.eval();
        for (const step of between) {
            const wanted = noGrad(() => step(x)).map((item) => item.toArray());
            const run = capture(step);
            assert.deepEqual(
                noGrad(() => run(x)).map((item) => item.toArray()),
                wanted,
            );
            assert.deepEqual(
                run(x).map((item) => item.toArray()),
                wanted,
            );
        }
    });

    it('also where there is no backward pass', () => {
        const layers = new nn.Sequential(new nn.BatchNorm2d(2), new nn.ReLU(), new nn.MaxPool2d(2)).eval();
        const x = randn([3, 2, 4, 4]);
        const run = capture((input: Tensor) => layers.forward(input));
        noGrad(() => {
            assert.deepEqual(run(x).toArray(), layers.forward(x).toArray());
            assert.ok(run.profile(1, x).some(({ op }) => op === 'batch_norm_relu_pool'));
        });
    });
});
