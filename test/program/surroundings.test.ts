import assert from 'node:assert/strict';
import type { Tensor } from '../../lib/index.js';
import {
    AnomalyError,
    capture,
    CaptureError,
    detectAnomaly,
    manualSeed,
    nn,
    ones,
    optim,
    randint,
    randn,
    tensor,
    zeros,
} from '../../lib/index.js';
import { reportOfChild } from '../support/child.js';

type Step = (x: Tensor, y: Tensor) => Tensor;

function training(): { model: nn.Sequential; optimizer: optim.Adam; step: Step; x: Tensor; y: Tensor } {
    manualSeed(11);
    const model = new nn.Sequential(new nn.Linear(3, 4), new nn.ReLU(), new nn.Linear(4, 2));
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.1 });
    const step: Step = (x, y) => {
        optimizer.zeroGrad();
        const loss = nn.crossEntropy(model.forward(x), y);
        loss.backward();
        optimizer.step();
        return loss;
    };
    return { model, optimizer, step, x: randn([5, 3]), y: randint(0, 2, [5]) };
}

describe('a captured step and what is around it', () => {
    describe('memory', () => {
        it('of an input may be shared by a tensor from outside', () => {
            const all = randn([10, 4]);
            const mean = all.slice(0, 0, 1);
            const step = (x: Tensor): Tensor => x.sub(mean).add(all.slice(0, 1, 2));
            const captured = capture(step);
            for (const x of [all.slice(0, 2, 4), all.slice(0, 6, 8), randn([2, 4])])
                assert.deepEqual(captured(x).toArray(), step(x).toArray());
        });

        it('may be shared by two inputs, or by an input and what the step writes', () => {
            const all = tensor([1, 2, 3, 4]);
            const state = all.slice(0, 0, 2);
            const captured = capture((x: Tensor, y: Tensor) => {
                state.add_(10);
                return x.mul(y);
            });
            const halves = [all.slice(0, 0, 2), all.slice(0, 2, 4)] as const;
            assert.deepEqual(captured(...halves).toArray(), [33, 48]);
            assert.deepEqual(captured(...halves).toArray(), [63, 88]);
        });

        it('of programs comes back in a loop that never waits', () => {
            // In a process of its own: how much garbage may stand depends on what lives in a process.
            const most = reportOfChild(`
                const { capture, memory, randn, zeros } = library;
                const x = zeros([128, 128]);
                let most = 0;
                for (let i = 0; i < 1500; i++) {
                    const weight = randn([128, 128]);
                    capture((input) => input.matmul(weight).exp().sum())(x);
                    most = Math.max(most, memory().liveBytes);
                }
                report(most);`) as number;
            assert.ok(most < 40e6, `${most} bytes of 1,500 programs with 200 kB each are alive`);
        });

        it('of a tensor that it only returns must be there', () => {
            const weight = ones([2]);
            const captured = capture(() => weight);
            assert.deepEqual(captured().toArray(), [1, 1]);
            weight.dispose();
            assert.throws(() => captured(), /disposed/);
        });
    });

    describe('another captured step', () => {
        it('becomes part of it, before and after its own capture', () => {
            const inner = capture((x: Tensor) => x.mul(2));
            const outer = capture((x: Tensor) => inner(x.add(1)).sum());
            assert.equal(outer(zeros([3])).item(), 6);
            inner(zeros([3]));
            assert.equal(outer(zeros([2])).item(), 4);
            assert.equal(outer(ones([3])).item(), 12);
        });

        it('cannot be started on a thread from it', async () => {
            const inner = capture((x: Tensor) => x.mul(2));
            const kept: Promise<unknown>[] = [];
            capture((x: Tensor) => {
                kept.push(assert.rejects(inner.async(x), CaptureError));
                kept.push(assert.rejects(inner.run(1, [x]), CaptureError));
                assert.throws(() => inner.profile(1, x), CaptureError);
                return x.add(1);
            })(zeros([3]));
            await Promise.all(kept);
        });

        it('waits while this one runs, and goes on from there', async () => {
            const results = [false, true].map(async (together) => {
                const { optimizer, step, x, y } = training();
                const [first, second] = [capture(step), capture(step)];
                first(x, y);
                second(x, y);
                const running = first.async(x, y);
                if (!together) await running;
                const loss = second(x, y).item();
                await running;
                const counts = Object.values(optimizer.stateDict().state).map((s) => s.step);
                assert.deepEqual(counts, [4, 4, 4, 4]);
                return loss;
            });
            assert.equal(await results[1], await results[0]);
        });
    });

    describe('hooks that come and go', () => {
        const places: [string, (model: nn.Sequential) => () => void][] = [
            [
                'on a parameter',
                (model) => model.parameters()[0]?.registerHook((g) => g.mul(0)) ?? assert.fail(),
            ],
            ['of a module', (model) => model.registerForwardHook((_, __, out) => (out as Tensor).mul(0.5))],
        ];
        for (const [name, register] of places) {
            it(name, () => {
                const runs = [false, true].map((isCaptured) => {
                    const { model, step, x, y } = training();
                    const run = isCaptured ? capture(step) : step;
                    run(x, y);
                    const remove = register(model);
                    run(x, y);
                    run(x, y);
                    remove();
                    return [run(x, y).item(), model.parameters().map((p) => p.toArray())];
                });
                assert.deepEqual(runs[1], runs[0]);
            });
        }
    });

    it('follows the groups of its optimizer', () => {
        const runs = [false, true].map((isCaptured) => {
            const [first, second] = [zeros([2], { requiresGrad: true }), zeros([2], { requiresGrad: true })];
            const optimizer = new optim.SGD([first], { lr: 1 });
            const step = (x: Tensor): Tensor => {
                const loss = x.mul(first).add(second).sum();
                loss.backward();
                optimizer.step();
                return loss;
            };
            const run = isCaptured ? capture(step) : step;
            const states = [0, 1, 2, 3].map((i) => {
                for (const x of [first, second]) x.grad = null;
                if (i === 1) optimizer.addParamGroup({ params: [second], lr: 0.5 });
                if (i === 3) optimizer.paramGroups.pop();
                run(ones([2]));
                return [first.toArray(), second.toArray()];
            });
            return states;
        });
        assert.deepEqual(runs[1], runs[0]);
    });

    for (const make of [
        (p: Tensor[]) => new optim.Adam(p, { lr: 0.1 }),
        (p: Tensor[]) => new optim.AdamW(p, { lr: 0.1 }),
        (p: Tensor[]) => new optim.SGD(p, { lr: 0.1, momentum: 0.9 }),
    ]) {
        it(`follows a parameter that sits out some steps and comes back: ${make([ones([1], { requiresGrad: true })]).constructor.name}`, () => {
            const [captured, eager] = [true, false].map((isCaptured) => {
                const [a, b] = [0.5, 0.25].map((value) => tensor([value], { requiresGrad: true }));
                const optimizer = make([a, b]);
                const step = (x: Tensor): Tensor => {
                    optimizer.zeroGrad();
                    const loss = a.add(b).mul(x).square().mean();
                    loss.backward();
                    optimizer.step();
                    return loss;
                };
                const run = isCaptured ? capture(step, { fuse: false }) : step;
                for (let i = 1; i <= 9; i++) {
                    a.requiresGrad = i < 3 || i > 5;
                    run(tensor([i / 3]));
                }
                return [a.item(), b.item()];
            });
            assert.deepEqual(captured, eager);
        });
    }

    it('names the first NaN in anomaly mode, also after its capture', () => {
        const { step, x, y } = training();
        const captured = capture(step);
        captured(x, y);
        const broken = x.mul(NaN);
        assert.throws(() => detectAnomaly(() => captured(broken, y)), AnomalyError);
        assert.ok(Number.isFinite(captured(x, y).item()));
    });
});
