import assert from 'node:assert/strict';
import { Console } from 'node:console';
import { PassThrough } from 'node:stream';
import { format } from 'node:util';
import {
    capture,
    CaptureError,
    manualSeed,
    nn,
    noGrad,
    oneHot,
    ones,
    optim,
    randn,
    setThreads,
    tensor,
    threads,
    zeros,
    type CapturedStep,
    type Tensor,
} from '../../lib/index.js';
import {
    type Step,
    type Setup,
    type MakeModel,
    type MakeOptimizer,
    mlp,
    cnn,
    adam,
    setup,
    batch,
    stateOf,
} from '../support/captured_setup.js';

/** Runs the same batches eagerly and captured, from the same start. */
function compare(
    makeModel: MakeModel,
    makeOptimizer: MakeOptimizer,
    shape: readonly number[],
    wrap: (made: Setup) => Step = ({ step }) => step,
    before: (made: Setup, i: number) => void = () => {},
): CapturedStep<[Tensor, Tensor], Tensor> {
    manualSeed(1);
    const batches = [8, 8, 8, 5, 8, 5].map((size) => batch(size, shape));
    const runs = [false, true].map((captured) => {
        const made = setup(makeModel, makeOptimizer);
        const step = wrap(made);
        const run = captured ? capture(step, { fuse: false }) : step;
        manualSeed(7);
        const losses = batches.map(([x, y], i) => {
            before(made, i);
            return run(x, y).item();
        });
        return { losses, state: stateOf(made), run };
    });
    const [eager, replayed] = runs;
    assert.deepEqual(replayed?.losses, eager?.losses);
    assert.deepEqual(replayed?.state, eager?.state);
    return replayed?.run as CapturedStep<[Tensor, Tensor], Tensor>;
}

describe('capture', () => {
    describe('gives the bits of the step itself', () => {
        const optimizers: Record<string, MakeOptimizer> = {
            Adam: adam,
            'Adam with amsgrad and decay': (p) => new optim.Adam(p, { amsgrad: true, weightDecay: 0.1 }),
            AdamW: (p) => new optim.AdamW(p, { lr: 1e-2 }),
            SGD: (p) => new optim.SGD(p, { lr: 0.1 }),
            'SGD with Nesterov momentum': (p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9, nesterov: true }),
            'SGD with dampening': (p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9, dampening: 0.5 }),
            RMSprop: (p) => new optim.RMSprop(p, { lr: 1e-2, centered: true, momentum: 0.5 }),
        };
        for (const [name, makeOptimizer] of Object.entries(optimizers)) {
            it(`MLP with dropout and layer norm, ${name}`, () => {
                const { captures, replays } = compare(mlp, makeOptimizer, [20]).statistics;
                assert.deepEqual({ captures, replays }, { captures: 2, replays: 6 });
            });
        }

        it('CNN with batch norm, group norm and pooling', () => {
            compare(cnn, adam, [1, 8, 8]);
        });

        it('with a schedule inside the step, and clipping', () => {
            compare(mlp, adam, [20], ({ model, optimizer }) => {
                const schedule = new optim.CosineAnnealingLR(optimizer, { tMax: 6 });
                return (x, y) => {
                    optimizer.zeroGrad();
                    const loss = nn.crossEntropy(model.forward(x), y, { labelSmoothing: 0.1 });
                    loss.backward();
                    optim.clipGradNorm(model.parameters(), 0.5);
                    optimizer.step();
                    schedule.step();
                    return loss;
                };
            });
        });

        it('with a rate that is set from outside between steps', () => {
            const setRate = ({ optimizer }: Setup, i: number): void => {
                for (const group of optimizer.paramGroups) group.lr = 0.1 / (i + 1);
            };
            compare(mlp, adam, [20], ({ step }) => step, setRate);
        });

        it('with gradients that add up over steps', () => {
            const run = compare(mlp, adam, [20], ({ model, optimizer }) => (x, y) => {
                const loss = nn.crossEntropy(model.forward(x), y);
                loss.backward();
                optimizer.step();
                return loss;
            });
            // Without gradients, with those of the step before (which stay where they are), each for two batch sizes.
            assert.ok(run.statistics.captures <= 4);
        });

        it('for any number of threads', () => {
            const before = threads();
            const results = [1, 2].map((count) => {
                setThreads(count);
                const made = setup(cnn, adam);
                const step = capture(made.step);
                manualSeed(11);
                const [x, y] = batch(16, [1, 8, 8]);
                for (let i = 0; i < 3; i++) step(x, y);
                return stateOf(made);
            });
            setThreads(before);
            assert.deepEqual(results[0], results[1]);
        });
    });

    describe('makes another program', () => {
        it('for another shape, and comes back to the first', () => {
            const { step } = setup(mlp, adam);
            const run = capture(step);
            for (const size of [8, 8, 3, 8, 3]) run(...batch(size, [20]));
            const { captures, replays } = run.statistics;
            assert.deepEqual({ captures, replays }, { captures: 2, replays: 5 });
        });

        it('for eval mode, where dropout does nothing', () => {
            const model = new nn.Dropout(0.5);
            const run = capture((x: Tensor) => model.forward(x).add(0));
            const x = ones([100]);
            assert.ok(run(x).toArray().toString().includes('0'));
            model.eval();
            assert.deepEqual(run(x).toArray(), x.toArray());
            model.train();
            assert.notDeepEqual(run(x).toArray(), x.toArray());
            assert.equal(run.statistics.captures, 2);
        });

        it('for frozen parameters, which then stay', () => {
            const made = setup(mlp, (p) => new optim.SGD(p, { lr: 0.1 }));
            const run = capture(made.step);
            const [x, y] = batch(8, [20]);
            run(x, y);
            const [first] = made.model.children();
            assert.ok(first);
            first.freeze();
            first.zeroGrad();
            const before = first.stateDict().get('weight')?.toArray();
            run(x, y);
            assert.deepEqual(first.stateDict().get('weight')?.toArray(), before);
            assert.equal(run.statistics.captures, 2);
        });

        it('for a parameter that was replaced', () => {
            const layer = new nn.Linear(2, 1);
            const run = capture((x: Tensor) => layer.forward(x).add(0));
            run(ones([1, 2]));
            (layer as { weight: nn.Parameter }).weight = new nn.Parameter(zeros([1, 2]));
            assert.deepEqual(run(ones([1, 2])).toArray(), [[layer.bias?.item()]]);
        });

        it('under noGrad', () => {
            const layer = new nn.Linear(2, 1);
            const run = capture((x: Tensor) => layer.forward(x));
            run(ones([1, 2]));
            noGrad(() => run(ones([1, 2])));
            assert.equal(run.statistics.captures, 2);
        });
    });

    describe('gradients', () => {
        it('are on the leaves after the step, and survive a zeroGrad outside', () => {
            const { model, optimizer, step } = setup(mlp, adam);
            const other = setup(mlp, adam);
            const run = capture(step);
            const [x, y] = batch(8, [20]);
            for (let i = 0; i < 3; i++) {
                manualSeed(i);
                run(x, y);
                manualSeed(i);
                other.step(x, y);
                const gradients = [model, other.model].map((m) =>
                    m.parameters().map((p) => p.grad?.toArray()),
                );
                assert.deepEqual(gradients[0], gradients[1]);
                optimizer.zeroGrad();
                assert.ok(model.parameters().every((p) => p.grad === null));
            }
            assert.equal(run.statistics.captures, 1);
        });

        it('that the step clears at its end are gone', () => {
            const { model, optimizer } = setup(mlp, adam);
            const run = capture((x: Tensor, y: Tensor) => {
                const loss = nn.crossEntropy(model.forward(x), y);
                loss.backward();
                optimizer.step();
                optimizer.zeroGrad();
                return loss;
            });
            for (let i = 0; i < 3; i++) run(...batch(8, [20]));
            assert.ok(model.parameters().every((p) => p.grad === null));
            assert.equal(run.statistics.captures, 1);
        });
    });

    describe('results', () => {
        it('are the caller’s own, in the structure of the step', () => {
            const run = capture((x: Tensor) => ({
                twice: x.mul(2),
                all: [x.add(1), x.transpose(0, 1)],
                none: null,
            }));
            const first = run(tensor([[1, 2]]));
            const second = run(tensor([[3, 4]]));
            assert.deepEqual(first.twice.toArray(), [[2, 4]]);
            assert.deepEqual(second.twice.toArray(), [[6, 8]]);
            assert.deepEqual(
                second.all.map((item) => item.toArray()),
                [[[4, 5]], [[3], [4]]],
            );
            assert.equal(second.none, null);
        });

        it('may be an input, a parameter, or nothing', () => {
            const weight = ones([2]);
            const run = capture((x: Tensor) => [x, weight]);
            assert.deepEqual(
                run(tensor([1, 2])).map((item) => item.toArray()),
                [
                    [1, 2],
                    [1, 1],
                ],
            );
            const nothing: unknown = capture(() => null)();
            assert.equal(nothing, null);
        });

        it('of a step that gets one tensor twice', () => {
            const run = capture((a: Tensor, b: Tensor) => a.mul(b));
            const [x, y] = [tensor([2, 3]), tensor([5, 7])];
            assert.deepEqual(run(x, x).toArray(), [4, 9]);
            assert.deepEqual(run(x, y).toArray(), [10, 21]);
            assert.deepEqual(run(y, y).toArray(), [25, 49]);
            assert.equal(run.statistics.captures, 2);
        });

        it('of zero size', () => {
            assert.deepEqual(capture((x: Tensor) => x.mul(2))(zeros([0, 3])).shape, [0, 3]);
        });
    });

    describe('refuses', () => {
        const cases: [string, () => unknown, RegExp][] = [
            [
                'a value read inside',
                () => capture((x: Tensor) => x.mul(x.sum().item()))(ones([2])),
                /capture\.test\.ts:\d+/,
            ],
            ...[
                ['text made of it', (x: Tensor) => JSON.stringify(x)],
                ['a typed array made of it', (x: Tensor) => new Float32Array(x as never)],
                ['numbers made of its entries', (x: Tensor) => [...x].map(Number)],
                ['a comparison', (x: Tensor) => Number(x.sum()) > 1],
                ['printing', (x: Tensor) => new Console(new PassThrough()).log(x)],
                ['printing what holds it', (x: Tensor) => format('%o', { a: [{ x }] })],
            ].map(([name, read]): [string, () => unknown, RegExp] => [
                name as string,
                () => capture((x: Tensor) => void (read as (x: Tensor) => unknown)(x))(ones([2])),
                /the step reads the values of a tensor of shape .* at .*capture\.test\.ts:\d+/,
            ]),
            ...[
                ['nonzero', (x: Tensor) => x.nonzero()],
                ['maskedSelect', (x: Tensor) => x.maskedSelect(x.gt(0))],
                ['one_hot without the number of classes', (x: Tensor) => oneHot(x.to('int64'))],
            ].map(([name, call]): [string, () => unknown, RegExp] => [
                `data-dependent shapes, ${name as string}`,
                () => capture(call as (x: Tensor) => Tensor)(ones([2])),
                new RegExp(
                    `the step calls ${name as string} at .*capture\\.test\\.ts:\\d+:\\d+, whose shape depends`,
                ),
            ]),
            [
                'options of another type',
                () => capture((x: Tensor) => x, { fuse: 'no' } as never),
                /\[capture\] fuse must be true or false, got/,
            ],
            ['a number as result', () => capture(() => 3)(), /returned 3; return tensors/],
            [
                'a promise',
                () => capture(async () => Promise.resolve())(),
                /returned a promise: the step must be synchronous/,
            ],
            ['a Map', () => capture((x: Tensor) => new Map([['x', x]]))(ones([2])), /returned a Map; return/],
            [
                'an object of a class',
                () => capture((x: Tensor) => ({ inner: new nn.ReLU(), x }))(ones([2])),
                /returned a ReLU; return/,
            ],
            [
                'an object that contains itself',
                () =>
                    capture(() => {
                        const list: unknown[] = [];
                        list.push(list);
                        return list;
                    })(),
                /contains itself/,
            ],
            [
                'a misspelt option',
                () => capture((x: Tensor) => x, { valdiate: true } as never),
                /unknown option 'valdiate'; did you mean 'validate'\? It has validate, fuse, gradients$/,
            ],
            [
                'inputs in the place of the number of steps',
                () => capture((x: Tensor) => x).profile(ones([1]) as never, ones([1])),
                /profile takes a positive number of steps before the inputs, got a Tensor/,
            ],
            ['no function', () => capture(3 as never), /expected the step as a function/],
            [
                'inputs that are no tensors',
                () => capture((x: Tensor) => x)(3 as never),
                /input 0 must be a Tensor, got .*; numbers that change go in as 0-d tensors/,
            ],
            [
                'a missing input',
                () => {
                    const step = capture((x: Tensor, y: Tensor) => x.add(y.neg()));
                    Reflect.apply(step, undefined, [ones([1])]);
                },
                /the step failed with 1 of its 2 inputs \(.*\); pass all of them: step\(x, y\), run\(steps, \[x, y\]\)/,
            ],
            [
                'an input that is undefined',
                () => capture((x: Tensor, y: Tensor) => x.add(y))(ones([1]), undefined as never),
                /input 1 must be a Tensor, got undefined$/,
            ],
            [
                'inputs that require gradients',
                () => capture((x: Tensor) => x)(ones([1], { requiresGrad: true })),
                /input 0 of shape \[1\] requires a gradient/,
            ],
            [
                'writing an input',
                () => capture((x: Tensor) => x.add_(1))(ones([1])),
                /must not write into its inputs/,
            ],
            [
                'writing a constant of the step',
                () => capture(() => tensor(new Float32Array([1])).add_(1))(),
                /writes into a tensor that it made from JavaScript values/,
            ],
        ];
        for (const [name, body, message] of cases) it(name, () => assert.throws(body, message));

        it('and is a CaptureError where a value is read', () => {
            assert.throws(() => capture((x: Tensor) => x.toArray() as never)(ones([2])), CaptureError);
        });

        it('to use what a captured step made and did not return', () => {
            let inner: Tensor | undefined;
            capture((x: Tensor) => (inner = x.mul(2)).add(1))(ones([2]));
            assert.throws(() => inner?.add(1), /disposed|has no elements/);
        });

        it('leaving everything as it was', () => {
            const made = setup(mlp, adam);
            const [x, y] = batch(8, [20]);
            made.step(x, y);
            const before = stateOf(made);
            const gradients = made.model.parameters().map((p) => p.grad);
            const run = capture((a: Tensor, b: Tensor) => {
                const loss = made.step(a, b);
                if (loss.item() > 0) throw new Error('never reached');
                return loss;
            });
            assert.throws(() => run(x, y), CaptureError);
            assert.deepEqual(stateOf(made), before);
            made.model.parameters().forEach((p, i) => assert.equal(p.grad, gradients[i]));
            assert.ok(gradients.every((g) => g && !g.isDisposed));
            made.step(x, y);
        });
    });

    describe('op errors in a replay', () => {
        it('name the op', () => {
            const weight = randn([3, 2]);
            const run = capture((index: Tensor) => weight.indexSelect(0, index));
            run(tensor([0, 2], { dtype: 'int32' }));
            assert.throws(() => run(tensor([0, 3], { dtype: 'int32' })), /index_select.*captured program/s);
        });
    });

    it('says what each call takes', () => {
        const run = capture((x: Tensor) => x.matmul(x).relu());
        const calls = run.profile(3, ones([4, 4]));
        assert.deepEqual(
            calls.map(({ op, shapes }) => `${op} ${shapes}`),
            ['matmul [4, 4], [4, 4] -> [4, 4]', 'unary [4, 4] -> [4, 4]'],
        );
        assert.deepEqual(
            calls.map(({ bytes }) => bytes),
            [3 * 16 * 4, 2 * 16 * 4],
        );
        assert.ok(calls.every(({ milliseconds }) => milliseconds > 0));
    });

    it('plans the arena within a tenth of the least that is possible', () => {
        for (const [make, shape] of [
            [mlp, [20]],
            [cnn, [1, 8, 8]],
        ] as const) {
            const run = capture(setup(make, adam).step);
            run(...batch(8, shape));
            for (const { arenaBytes, leastArenaBytes } of run.statistics.programs) {
                assert.ok(
                    arenaBytes >= leastArenaBytes && arenaBytes <= 1.1 * leastArenaBytes,
                    `${arenaBytes} ${leastArenaBytes}`,
                );
            }
        }
    });
});
