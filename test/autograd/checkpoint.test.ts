import assert from 'node:assert/strict';

import {
    autocast,
    capture,
    checkpoint,
    defaultDevice,
    defaultGenerator,
    Generator,
    grad,
    memory,
    nn,
    noGrad,
    optim,
    rand,
    randn,
    resetPeak,
    scope,
    type Tensor,
} from '../../lib/index.js';

type Run = (body: (x: Tensor) => Tensor, x: Tensor) => Tensor;
const plainly: Run = (body, x) => body(x);
const again: Run = (body, x) => checkpoint(body, x);

/** A deep network whose blocks drop elements, run by `run`. */
class Blocks extends nn.Module {
    readonly blocks: nn.ModuleList<nn.Sequential>;
    run = plainly;

    constructor(depth: number, width: number) {
        super();
        const generator = new Generator(1);
        const block = (): nn.Sequential =>
            new nn.Sequential(
                new nn.Linear(width, width, { generator }),
                new nn.GELU(),
                new nn.Dropout(0.3),
                new nn.LayerNorm(width),
                new nn.Tanh(),
            );
        this.blocks = new nn.ModuleList(Array.from({ length: depth }, block));
    }

    forward(x: Tensor): Tensor {
        let h = x;
        for (const block of this.blocks) h = this.run((y) => block.forward(y).add(y), h);
        return h;
    }
}

/** Loss and gradients of one step of a model from the same random numbers. */
function stepOf(
    model: Blocks,
    run: Run,
    x: Tensor,
    step = (body: () => Tensor): Tensor => body(),
): unknown[] {
    model.run = run;
    defaultGenerator.manualSeed(9);
    model.zeroGrad();
    const loss = step(() => {
        const value = model.forward(x).square().mean();
        value.backward();
        return value;
    });
    return [loss.item(), ...model.parameters().map(({ grad }) => grad?.toArray()), x.grad?.toArray()];
}

describe('checkpoint', () => {
    const input = (rows: number, width: number): Tensor =>
        randn([rows, width], { generator: new Generator(2), requiresGrad: true });

    it('gives the same bits, dropout included, and draws as often', () => {
        const model = new Blocks(3, 8);
        const [first, second] = [input(6, 8), input(6, 8)];
        const expected = stepOf(model, plainly, first);
        const { state } = defaultGenerator;
        assert.deepEqual(stepOf(model, again, second), expected);
        assert.deepEqual(defaultGenerator.state, state);
    });

    it('frees what lies between, so that the peak of a step is lower', () => {
        const model = new Blocks(8, 16);
        const x = input(48, 16);
        const peak = (run: Run): number => {
            const measured = (): number => {
                const before = memory().liveBytes;
                resetPeak();
                scope(() => void stepOf(model, run, x));
                return memory().peakBytes - before;
            };
            measured();
            return measured();
        };
        const [whole, less] = [peak(plainly), peak(again)];
        assert.ok(less < whole * 0.4, `peak ${less} against ${whole} bytes`);
    });

    it('leaves no tensor behind', () => {
        const model = new Blocks(3, 8);
        const nested: Run = (body, x) => checkpoint((y) => checkpoint(body, y.mul(2)), x);
        const runs = [plainly, again, nested];
        for (const run of runs) {
            const step = (): void => scope(() => void stepOf(model, run, randn([6, 8])));
            step();
            const before = memory().tensors;
            step();
            assert.equal(memory().tensors, before, `${runs.indexOf(run)}`);
        }
    });

    it('nests', () => {
        const model = new Blocks(2, 8);
        const wrap =
            (outer: Run, inner: Run): Run =>
            (body, x) =>
                outer((y) => inner((z) => body(z.sin()).add(z), inner(body, y.mul(2))).mul(y), x);
        const expected = stepOf(model, wrap(plainly, plainly), input(6, 8));
        assert.deepEqual(stepOf(model, wrap(again, again), input(6, 8)), expected);
        assert.deepEqual(stepOf(model, wrap(plainly, again), input(6, 8)), expected);
        const deep: Run = (body, x) => again((y) => wrap(again, again)(body, y), x);
        const flat: Run = (body, x) => wrap(plainly, plainly)(body, x);
        assert.deepEqual(stepOf(model, deep, input(6, 8)), stepOf(model, flat, input(6, 8)));
    });

    it('gives the same bits in captured steps and under autocast, from step to step', () => {
        const runs = [plainly, again].map((run) =>
            [false, true].map((isCaptured) => {
                const model = new Blocks(3, 8);
                const optimizer = new optim.Adam(model.parameters());
                model.run = run;
                defaultGenerator.manualSeed(4);
                const step = (x: Tensor): Tensor => {
                    optimizer.zeroGrad();
                    const loss = autocast('bfloat16', () => model.forward(x).square().mean());
                    loss.backward();
                    optimizer.step();
                    return loss;
                };
                const program = isCaptured ? capture(step) : step;
                const generator = new Generator(5);
                return [1, 2, 3].map(() => program(randn([4, 8], { generator })).item());
            }),
        );
        const [plain, checkpointed] = runs;
        assert.deepEqual(checkpointed, plain);
        // Fused calls of a GPU add up in another order.
        if (defaultDevice() === 'cpu') assert.deepEqual(plain[0], plain[1]);
    });

    it('serves grad(), retained graphs and second derivatives', () => {
        const x = rand([5], { dtype: 'float64', requiresGrad: true });
        const cube = (y: Tensor): Tensor => y.mul(y).mul(y);
        for (const run of [plainly, again]) {
            const [first] = grad([run(cube, x).sum()], [x], { createGraph: true });
            const [second] = grad([first!.sum()], [x]);
            const expected = x.detach().mul(6);
            assert.ok(second!.sub(expected).abs().max().item() < 1e-14);
        }
        const y = again(cube, x).sum();
        y.backward(undefined, { retainGraph: true });
        const once = x.grad!.clone();
        y.backward();
        assert.ok(x.grad!.sub(once.mul(2)).abs().max().item() < 1e-14);
        assert.throws(() => y.backward(), /was already used and freed/);
    });

    it('gives several results, and survives the end of a scope', () => {
        const x = rand([4], { requiresGrad: true });
        const y = scope(() => {
            const [a, b] = checkpoint(
                (z: Tensor, factor: number) => [z.exp().mul(factor), z.sin()],
                x.mul(2),
                3,
            );
            return a.add(b).sum();
        });
        y.backward();
        const expected = x.detach().mul(2).exp().mul(6).add(x.detach().mul(2).cos().mul(2));
        assert.ok(x.grad!.sub(expected).abs().max().item() < 1e-4);
        assert.equal(noGrad(() => checkpoint((z: Tensor) => z.mul(2), x)).requiresGrad, false);
    });

    it('says what went wrong in backward', () => {
        const x = rand([4], { requiresGrad: true });
        const h = x.mul(2);
        const changed = checkpoint((y: Tensor) => y.exp().square(), h);
        noGrad(() => h.add_(1));
        assert.throws(
            () => changed.sum().backward(),
            /\[checkpoint\] a tensor of shape \[4\] .* was changed in place since \(version 0, now 1\)/,
        );
        const gone = x.mul(2);
        const freed = checkpoint((y: Tensor) => y.exp().square(), gone);
        gone.dispose();
        assert.throws(() => freed.sum().backward(), /was disposed before backward\(\); keep\(\) it/);
        let [calls, draws] = [0, 0];
        const other = checkpoint((y: Tensor) => (calls++ === 0 ? y.exp() : y.sin()).square(), x);
        assert.throws(
            () => other.sum().backward(),
            /took another course in backward: .* was exp, now of 2 it is sin/,
        );
        const drawn = checkpoint((y: Tensor) => (draws++ === 0 ? y : y.dropout(0.5)).exp(), x);
        assert.throws(
            () => drawn.sum().backward(),
            /draws random numbers more often in backward than the 0 times/,
        );
        assert.throws(
            () => checkpoint(() => Promise.resolve(x)),
            /synchronous function, got one that returns a promise/,
        );
        assert.throws(() => Reflect.apply(checkpoint, null, [x]), /takes a function and its inputs/);
        assert.throws(
            () =>
                checkpoint(() => {
                    throw new Error('inside');
                }),
            /inside/,
        );
        assert.ok(x.mul(2).requiresGrad);
    });
});
