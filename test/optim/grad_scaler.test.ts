import assert from 'node:assert/strict';
import { capture, nn, optim, scope, tensor, type Tensor } from '../../lib/index.js';
import { native } from '../../lib/native/addon.js';
import {
    bitsOf,
    golden,
    inputs,
    isBad,
    makeIteration,
    newIteration,
    newOptimizer,
    newScaler,
    stateOf,
} from './grad_scaler_cases.js';

describe('GradScaler', () => {
    for (const example of golden.cases) {
        const { optimizer: name, options, max_norm: maxNorm } = example;
        const title = `${name} ${JSON.stringify(options)}${maxNorm === null ? '' : ` norm ${maxNorm}`}`;
        for (const way of ['fused', 'unscaled first'] as const) {
            it(`goes as PyTorch's, with overflow in some steps: ${title}, ${way}`, () => {
                const weights = new nn.Parameter(tensor([...golden.weights]));
                const [optimizer, scaler] = [newOptimizer(example, weights), newScaler()];
                const iterate = makeIteration(weights, optimizer, scaler, maxNorm, way);
                let before = stateOf([weights], optimizer);
                inputs.forEach((x, i) => {
                    iterate(tensor(x));
                    const expected = example.steps[i];
                    assert.equal(scaler.getScale(), expected.scale, `scale of step ${i}`);
                    assert.equal(scaler.stateDict().growthTracker, expected.tracker);
                    Array.from(weights.dataSync(), Number).forEach((value, k) =>
                        assert.ok(Math.abs(value - expected.weights[k]) < 2e-6, `step ${i}: ${value}`),
                    );
                    const after = stateOf([weights], optimizer);
                    if (isBad[i] && i > 0) assert.deepEqual(after, before, `step ${i} is left out`);
                    before = after;
                });
                assert.equal(scaler.skippedSteps, isBad.filter(Boolean).length);
                if (example.state_steps !== null)
                    assert.equal(optimizer.stateDict().state[0].step, example.state_steps);
            });
        }

        it(`is the same in a captured step, bit for bit: ${title}`, () => {
            const run = (isCaptured: boolean): unknown => {
                const weights = new nn.Parameter(tensor([...golden.weights]));
                const [optimizer, scaler] = [newOptimizer(example, weights), newScaler()];
                const iterate = makeIteration(weights, optimizer, scaler, maxNorm, 'fused');
                const step = isCaptured ? capture(iterate) : iterate;
                for (const x of inputs) step(tensor(x));
                return [stateOf([weights], optimizer), scaler.stateDict()];
            };
            assert.deepEqual(run(true), run(false));
        });
    }

    it('leaves the bits of steps without overflow as they are without a scaler', () => {
        const run = (isScaled: boolean): unknown => {
            const weights = new nn.Parameter(tensor([...golden.weights]));
            const optimizer = new optim.Adam([weights], { lr: 0.01, weightDecay: 0.1 });
            const scaler = new optim.GradScaler({ enabled: isScaled, growthInterval: 2 });
            const iterate = makeIteration(weights, optimizer, scaler, null, 'fused');
            inputs.filter((_, i) => !isBad[i]).forEach((x) => iterate(tensor(x)));
            return stateOf([weights], optimizer);
        };
        assert.deepEqual(run(true), run(false));
    });

    it('leaves a step out for each optimizer by itself, and scales once for all', () => {
        const [a, b] = [new nn.Parameter(tensor([1])), new nn.Parameter(tensor([1]))];
        const [first, second] = [new optim.SGD([a], { lr: 1 }), new optim.Adam([b], { lr: 1 })];
        const scaler = new optim.GradScaler({ initScale: 4 });
        scaler
            .scale(
                a
                    .mul(tensor([Infinity]))
                    .add(b)
                    .sum(),
            )
            .backward();
        scaler.step(first);
        scaler.step(second);
        scaler.update();
        assert.equal(a.item(), 1);
        assert.ok(Math.abs(b.item()) < 1e-6);
        assert.equal(scaler.getScale(), 2);
        assert.deepEqual(
            [first, second].map((own) => own.stateDict().state[0].step),
            [0, 1],
        );
    });

    it('counts for each of many parameters its own steps', () => {
        const run = (bad: readonly number[]): number[] => {
            const weights = Array.from({ length: 60 }, (_, i) => new nn.Parameter(tensor([i, -i])));
            const optimizer = new optim.Adam(weights, { lr: 0.1, amsgrad: true });
            const scaler = new optim.GradScaler({ initScale: 2 });
            for (let step = 0; step < 6; step++) {
                optimizer.zeroGrad();
                // Every other parameter sits out step 3.
                const used = step === 3 ? weights.filter((_, i) => i % 2 === 0) : weights;
                const losses = used.map((w) => w.mul(bad.includes(step) ? NaN : step + 1).sum());
                scaler.scale(losses.reduce((sum, loss) => sum.add(loss))).backward();
                scaler.step(optimizer);
                scaler.update();
            }
            return Object.values(optimizer.stateDict().state).map(({ step }) => step);
        };
        const expected = (even: number, odd: number): number[] =>
            Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? even : odd));
        assert.deepEqual(run([]), expected(6, 5));
        assert.deepEqual(run([0, 3]), expected(4, 4));
        assert.deepEqual(run([5]), expected(5, 4));
    });

    it('goes on without a scaler, and with momentum from later on, as after the steps that count', () => {
        const run = (bad: readonly number[]): unknown => {
            const weights = new nn.Parameter(tensor([...golden.weights]));
            const optimizer = new optim.SGD([weights], { lr: 0.1, momentum: 0.5, dampening: 0.5 });
            const adam = new optim.Adam([weights], { lr: 0.1 });
            const scaler = new optim.GradScaler({ initScale: 2 });
            const step = (own: optim.Optimizer, value: number, isScaled: boolean): void => {
                own.zeroGrad();
                const loss = weights.mul(value).sum();
                if (!isScaled) {
                    loss.backward();
                    own.step();
                    return;
                }
                scaler.scale(loss).backward();
                scaler.step(own);
                scaler.update();
            };
            // With the velocity still untouched, and later.
            if (bad.includes(0)) step(optimizer, NaN, true);
            if (bad.includes(0)) step(adam, NaN, true);
            step(optimizer, 1, false);
            step(adam, 2, false);
            if (bad.includes(1)) step(adam, Infinity, true);
            optimizer.paramGroups[0].momentum = 0;
            step(optimizer, 3, true);
            optimizer.loadStateDict({ ...optimizer.stateDict(), state: {} });
            if (bad.includes(1)) step(optimizer, NaN, true);
            optimizer.paramGroups[0].momentum = 0.9;
            step(optimizer, 4, true);
            step(optimizer, 5, true);
            step(adam, 6, true);
            step(adam, 7, false);
            return stateOf([weights], adam);
        };
        assert.deepEqual(run([0]), run([]));
        assert.deepEqual(run([1]), run([]));
        assert.deepEqual(run([0, 1]), run([]));
    });

    it('reads the counts of all parameters at once', () => {
        const weights = Array.from({ length: 150 }, (_, i) => new nn.Parameter(tensor([i])));
        const optimizer = new optim.SGD(weights, { lr: 0.1 });
        const scaler = new optim.GradScaler({ initScale: 2 });
        const backward = (value: number): void => {
            const losses = weights.map((w, i) => w.mul(i % 2 === 0 ? value : 1).sum());
            scaler.scale(losses.reduce((sum, loss) => sum.add(loss))).backward();
        };
        for (const value of [NaN, 1]) {
            optimizer.zeroGrad();
            backward(value);
            scaler.step(optimizer);
            scaler.update();
        }
        const read = native.read.bind(native);
        let reads = 0;
        native.read = (...given) => {
            reads++;
            read(...given);
        };
        try {
            const { state } = optimizer.stateDict();
            assert.ok(Object.values(state).every(({ step }) => step === 1));
            assert.equal(reads, 1);
            optimizer.step();
            assert.equal(reads, 2);
        } finally {
            native.read = read;
        }
        assert.equal(optimizer.stateDict().state[7].step, 2);
    });

    it('clips finite gradients whose squares are infinite in float32', () => {
        const weights = new nn.Parameter(tensor([0, 0]));
        const [optimizer, scaler] = [new optim.SGD([weights], { lr: 1 }), new optim.GradScaler()];
        scaler.scale(weights.mul(tensor([6e19, 8e19])).sum()).backward();
        const norm = scaler.step(optimizer, { maxNorm: 1 }).item();
        scaler.update();
        assert.ok(Math.abs(norm / 1e20 - 1) < 1e-6);
        bitsOf([weights])[0].forEach((x, i) => assert.ok(Math.abs(x + [0.6, 0.8][i]) < 1e-6, String(x)));
    });

    it('keeps the count of steps left out in a row', () => {
        const { weights, optimizer, scaler } = newIteration();
        const step = (own: optim.GradScaler, value: number): number => {
            optimizer.zeroGrad();
            own.scale(weights.mul(value).sum()).backward();
            own.step(optimizer);
            own.update();
            return own.stateDict().skippedInRow;
        };
        assert.deepEqual(
            [step(scaler, NaN), step(scaler, 1), step(scaler, NaN), step(scaler, NaN)],
            [1, 0, 1, 2],
        );
        const other = new optim.GradScaler();
        other.loadStateDict(scaler.stateDict());
        assert.equal(other.stateDict().skippedInRow, 2);
        assert.deepEqual([step(other, NaN), step(other, 1)], [3, 0]);
        assert.throws(
            () => other.loadStateDict({ ...scaler.stateDict(), skippedInRow: -1 }),
            /skippedInRow must be an integer of at least 0, got -1/,
        );
    });

    it('takes a scale of the caller without counting, also before any step', () => {
        const { weights, optimizer, scaler } = newIteration();
        const backward = (value: number): void => {
            optimizer.zeroGrad();
            scaler.scale(weights.mul(value).sum()).backward();
        };
        backward(1);
        scaler.step(optimizer);
        scaler.update();
        const { growthTracker } = scaler.stateDict();
        assert.equal(growthTracker, 1);
        scaler.update(8);
        for (const value of [1, NaN]) {
            backward(value);
            scaler.step(optimizer);
            scaler.update(16);
            assert.deepEqual(
                [scaler.getScale(), scaler.stateDict().growthTracker, scaler.skippedSteps],
                [16, 1, 0],
            );
        }
        const before = bitsOf([weights]);
        backward(1);
        scaler.step(optimizer);
        assert.notDeepEqual(bitsOf([weights]), before, 'the flag of the step before is cleared');
        assert.throws(() => scaler.update(0), /newScale must be above 0/);
    });

    it('scales lists of losses', () => {
        const scaler = new optim.GradScaler({ initScale: 4 });
        assert.deepEqual(
            scaler.scale([tensor(1), tensor(2)]).map((x) => x.item()),
            [4, 8],
        );
        assert.deepEqual(scaler.scale(tensor([1, 2])).toArray(), [4, 8]);
        assert.deepEqual(new optim.GradScaler({ enabled: false }).scale(new Set<Tensor>()), []);
        assert.throws(() => scaler.scale(3 as never), /what scale\(\) takes must be a Tensor, got 3/);
    });

    it('keeps no optimizer longer than an iteration, and needs no more flags', () => {
        const scaler = new optim.GradScaler();
        const weights = new nn.Parameter(tensor([1]));
        const iterate = (): number => {
            const optimizer = new optim.SGD([weights], { lr: 0.5 });
            scope(() => scaler.scale(weights.sum()).backward());
            scaler.step(optimizer);
            scaler.update();
            optimizer.zeroGrad();
            optimizer.dispose();
            return native.memory(0).tensors;
        };
        iterate();
        const live = iterate();
        for (let i = 0; i < 5; i++) assert.ok(iterate() <= live);
    });

    it('does nothing where it is off, and takes a scale of the caller', () => {
        const weights = new nn.Parameter(tensor([3, 4]));
        const optimizer = new optim.SGD([weights], { lr: 1 });
        const off = new optim.GradScaler({ enabled: false });
        const loss = weights.square().sum().mul(0.5);
        assert.equal(off.scale(loss), loss);
        loss.backward();
        off.unscale_(optimizer);
        assert.equal(off.step(optimizer, { maxNorm: 1 }).item(), 5);
        off.update();
        assert.equal(off.getScale(), 1);
        assert.ok(Math.abs(Number(weights.dataSync()[0]) - 2.4) < 1e-5);
        const scaler = new optim.GradScaler();
        scaler.scale(weights.sum()).backward();
        scaler.unscale_(optimizer);
        scaler.update(1024);
        assert.equal(scaler.getScale(), 1024);
        assert.equal(scaler.scale(tensor(2)).item(), 2048);
    });

    it('says what is wrong with its arguments and the order of calls', () => {
        const weights = new nn.Parameter(tensor([1]));
        const optimizer = new optim.SGD([weights], { lr: 1 });
        const wrong: [object, RegExp][] = [
            [{ initScale: 0 }, /\[GradScaler\] initScale must be above 0 and finite in float32.*got 0/],
            [{ initScale: 1e39 }, /initScale.*got 1e\+39/],
            [{ initScale: 1e-45 }, /initScale.*as its inverse, got 1e-45/],
            [{ growthFactor: 1 }, /growthFactor must be above 1, got 1/],
            [{ backoffFactor: 1 }, /backoffFactor must be in \(0, 1\), got 1/],
            [{ growthInterval: 2.5 }, /growthInterval must be a positive integer, got 2.5/],
            [{ enabled: 1 }, /enabled must be true or false, got 1/],
            [{ init_scale: 2 }, /\[GradScaler\].*init_scale.*initScale/],
        ];
        for (const [options, message] of wrong) assert.throws(() => new optim.GradScaler(options), message);
        const scaler = new optim.GradScaler();
        assert.throws(() => scaler.step(optimizer), /step\(\) before scale\(\); call scaler.scale\(loss\)/);
        assert.throws(() => scaler.update(), /update\(\) before scale\(\)/);
        const scaled = scaler.scale(weights.sum());
        assert.throws(() => scaler.update(), /update\(\) comes after step\(optimizer\)/);
        assert.throws(() => scaler.step(optimizer), /step\(\) found no gradients/);
        scaled.backward();
        assert.throws(() => scaler.step(optimizer, { maxNorm: -1 }), /maxNorm must be at least 0, got -1/);
        assert.throws(
            () => scaler.step(Object.create(null) as optim.Optimizer),
            /step\(\) takes an optimizer such as optim.Adam/,
        );
        scaler.unscale_(optimizer);
        assert.throws(() => scaler.unscale_(optimizer), /unscale_\(\) was called for this optimizer already/);
        scaler.step(optimizer);
        assert.throws(
            () => scaler.step(optimizer),
            /step\(\) after step\(\) of the same optimizer; call update/,
        );
        assert.throws(() => scaler.unscale_(optimizer), /unscale_\(\) after step\(\)/);
        scaler.update();
        const state = scaler.stateDict();
        assert.throws(() => scaler.loadStateDict({ ...state, skippedSteps: -1 }), /skippedSteps/);
        assert.throws(
            () => scaler.loadStateDict({ ...state, scale: NaN }),
            /\[GradScaler\] scale must be above 0/,
        );
        assert.deepEqual(scaler.stateDict(), state);
    });
});
