import assert from 'node:assert/strict';
import { capture, CaptureError, captureModels, nn, optim, tensor, type Tensor } from '../../lib/index.js';
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

describe('GradScaler in captured steps', () => {
    type Call = (iteration: ReturnType<typeof newIteration>) => void;

    const calls: Record<string, Call> = {
        unscale: ({ scaler, optimizer }) => scaler.unscale_(optimizer),
        step: ({ scaler, optimizer }) => scaler.step(optimizer),
        update: ({ scaler }) => scaler.update(),
    };
    for (const captured of [0, 1, 2]) {
        const names = Object.keys(calls);
        const title = `${names.slice(0, captured + 1).join(', ')}, before ${names.slice(captured + 1).join(', ') || 'nothing'}`;
        it(`goes on outside of a captured step that holds ${title}`, async () => {
            const run = async (isCaptured: boolean, rows: boolean): Promise<unknown> => {
                const own = newIteration();
                const body = (x: Tensor): void => {
                    own.optimizer.zeroGrad();
                    own.scaler.scale(own.weights.mul(x).sum()).backward();
                    for (const name of names.slice(0, captured + 1)) calls[name](own);
                };
                const part = capture(body);
                for (const x of inputs) {
                    if (!isCaptured) body(tensor(x));
                    else if (rows) await part.run(1, [tensor([x])]);
                    else part(tensor(x));
                    for (const name of names.slice(captured + 1)) calls[name](own);
                }
                if (isCaptured) assert.equal(part.statistics.captures, 1);
                return [stateOf([own.weights], own.optimizer), own.scaler.stateDict()];
            };
            const expected = await run(false, false);
            assert.deepEqual(await run(true, false), expected);
            assert.deepEqual(await run(true, true), expected);
        });
    }

    it('ends an iteration in a captured step of its own, for the optimizers that have stepped', () => {
        const run = (isCaptured: boolean): unknown => {
            const [a, b] = [newIteration(), newIteration()];
            const { scaler } = a;
            const end = (x: Tensor): Tensor => {
                scaler.update();
                return x;
            };
            const update = isCaptured ? capture(end) : end;
            inputs.forEach((x, i) => {
                for (const { weights, optimizer } of i % 3 === 0 ? [b, a] : [a]) {
                    optimizer.zeroGrad();
                    scaler.scale(weights.mul(tensor(x)).sum()).backward();
                    scaler.step(optimizer);
                }
                update(tensor(i));
            });
            const states = [a, b].map(({ weights, optimizer }) => stateOf([weights], optimizer));
            return [states, scaler.stateDict()];
        };
        assert.deepEqual(run(true), run(false));
    });

    it('refuses many captured steps in a row that do not end with update()', async () => {
        const { weights, optimizer, scaler } = newIteration();
        const part = capture((x: Tensor) => {
            optimizer.zeroGrad();
            scaler.scale(weights.mul(x).sum()).backward();
            scaler.step(optimizer);
        });
        await assert.rejects(
            part.run(3, [tensor([[1, 1, 1], [1, 1, 1], [1, 1, 1]])], { chunk: 3 }), // prettier-ignore
            /step\(\) after step\(\) of the same optimizer; call update\(\) once in each iteration/,
        );
        assert.deepEqual(bitsOf([weights])[0], golden.weights.map(Math.fround));
        part(tensor([1, 1, 1]));
        assert.throws(() => part(tensor([1, 1, 1])), /step\(\) after step\(\) of the same optimizer/);
        scaler.update();
        part(tensor([1, 1, 1]));
    });

    it('stands where it stood after a capture that failed', () => {
        const { weights, optimizer, scaler } = newIteration();
        const failing = capture((x: Tensor) => {
            optimizer.zeroGrad();
            scaler.scale(weights.mul(x).sum()).backward();
            scaler.unscale_(optimizer);
            assert.ok(weights.grad!.sum().item() > 0);
            scaler.step(optimizer);
            scaler.update();
        });
        assert.throws(() => failing(tensor([1, 1, 1])), CaptureError);
        scaler.scale(weights.sum()).backward();
        scaler.unscale_(optimizer);
        assert.deepEqual(bitsOf([weights.grad!]), [[1, 1, 1]]);
        scaler.step(optimizer);
        assert.throws(() => failing(tensor([1, 1, 1])), /unscale_\(\) after step\(\)/);
        scaler.update();
    });

    it('reads the limit of the norm anew for each captured step', () => {
        const { weights, optimizer, scaler } = newIteration();
        const options = { maxNorm: 1 };
        const step = capture((x: Tensor) => {
            optimizer.zeroGrad();
            scaler.scale(weights.mul(x).sum()).backward();
            scaler.step(optimizer, options);
            scaler.update();
        });
        const moved = (): number => {
            const before = bitsOf([weights])[0];
            step(tensor([3, 4, 0]));
            const after = bitsOf([weights])[0];
            return Math.hypot(...after.map((x, i) => x - before[i]));
        };
        optimizer.paramGroups[0].lr = 1;
        assert.ok(Math.abs(moved() - 1) < 1e-3);
        options.maxNorm = 4;
        // With the velocity of the step before.
        assert.ok(Math.abs(moved() - 4.9) < 1e-3);
        options.maxNorm = -1;
        assert.throws(moved, /maxNorm must be at least 0, got -1/);
    });

    it('makes another program where an optimizer goes on with or without it', () => {
        const run = (isCaptured: boolean): unknown => {
            const weights = new nn.Parameter(tensor([...golden.weights]));
            const optimizer = new optim.Adam([weights], { lr: 0.1 });
            const scaler = newScaler();
            const scaled = makeIteration(weights, optimizer, scaler, null, 'fused');
            const plain = (x: Tensor): void => {
                optimizer.zeroGrad();
                weights.mul(x).sum().backward();
                optimizer.step();
            };
            const steps = isCaptured ? [capture(plain), capture(scaled)] : [plain, scaled];
            inputs.forEach((x, i) => {
                const index = isBad[i] ? 1 : Math.floor(i / 2) % 2;
                steps[index](tensor(x));
            });
            return stateOf([weights], optimizer);
        };
        assert.deepEqual(run(true), run(false));
    });

    it('runs many captured steps in one call, with overflow in some', async () => {
        const run = async (atOnce: boolean): Promise<unknown> => {
            const weights = new nn.Parameter(tensor([...golden.weights]));
            const optimizer = new optim.AdamW([weights], { lr: 0.1 });
            const scaler = newScaler();
            const step = capture(makeIteration(weights, optimizer, scaler, 1, 'fused'));
            if (atOnce) await step.run(inputs.length, [tensor(inputs)]);
            else for (const x of inputs) step(tensor(x));
            return [stateOf([weights], optimizer), scaler.stateDict()];
        };
        assert.deepEqual(await run(true), await run(false));
    });

    for (const example of golden.cases.filter(({ options }) => options.momentum || options.amsgrad)) {
        it(`continues from a saved state as if it had not stopped: ${example.optimizer}`, () => {
            const run = (stopAt: number): unknown => {
                const weights = new nn.Parameter(tensor([...golden.weights]));
                let [optimizer, scaler] = [newOptimizer(example, weights), newScaler()];
                inputs.forEach((x, i) => {
                    if (i === stopAt) {
                        const [saved, scaling] = [optimizer.stateDict(), scaler.stateDict()];
                        optimizer = newOptimizer(example, weights);
                        optimizer.loadStateDict(saved);
                        scaler = new optim.GradScaler();
                        scaler.loadStateDict(JSON.parse(JSON.stringify(scaling)) as optim.GradScalerState);
                    }
                    makeIteration(weights, optimizer, scaler, null, 'fused')(tensor(x));
                });
                return [stateOf([weights], optimizer), scaler.stateDict()];
            };
            const expected = run(-1);
            for (const stopAt of [0, 1, 6, 7, 11]) assert.deepEqual(run(stopAt), expected, `at ${stopAt}`);
        });
    }

    it('scales several models side by side as each one alone', async () => {
        const make = (i: number): { state: () => unknown; step: (x: Tensor) => void } => {
            const weights = new nn.Parameter(tensor([...golden.weights]));
            const optimizer = new optim.Adam([weights], { lr: 0.01 * (i + 1) });
            const scaler = new optim.GradScaler({ initScale: 2 ** i, growthInterval: i + 1 });
            return {
                state: () => [stateOf([weights], optimizer), scaler.stateDict()],
                step: makeIteration(weights, optimizer, scaler, null, 'fused'),
            };
        };
        const states = async (together: boolean): Promise<unknown[]> => {
            const models = [0, 2, 3].map(make);
            const steps = models.map(({ step }) => step);
            if (together) await captureModels(steps).run(inputs.length, [tensor(inputs)]);
            else for (const step of steps) for (const x of inputs) step(tensor(x));
            return models.map(({ state }) => state());
        };
        assert.deepEqual(await states(true), await states(false));
    });
});
