import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { capture, nn, optim, tensor, type Tensor } from '../../lib/index.js';

interface GoldenCase {
    readonly optimizer: 'Adam' | 'AdamW' | 'SGD' | 'RMSprop';
    readonly options: Readonly<Record<string, number | boolean>>;
    readonly max_norm: number | null;
    readonly steps: readonly {
        readonly scale: number;
        readonly tracker: number;
        readonly weights: readonly number[];
    }[];
    readonly state_steps: number | null;
}

interface Golden {
    readonly scaler: Readonly<Record<string, number>>;
    readonly inputs: readonly (readonly (number | string)[])[];
    readonly weights: readonly number[];
    readonly cases: readonly GoldenCase[];
}

const golden = JSON.parse(
    readFileSync(new URL('../golden/grad_scaler.json', import.meta.url), 'utf8'),
) as Golden;
const inputs = golden.inputs.map((row) => row.map(Number));
const isBad = inputs.map((row) => !row.every(Number.isFinite));

/** PyTorch's names as ours. */
function camelCase(options: Readonly<Record<string, number | boolean>>): object {
    const name = (key: string): string => key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    return Object.fromEntries(Object.entries(options).map(([key, value]) => [name(key), value]));
}

function newScaler(): optim.GradScaler {
    return new optim.GradScaler(camelCase(golden.scaler));
}

function bitsOf(tensors: Iterable<Tensor>): number[][] {
    return [...tensors].map((x) => Array.from(x.dataSync(), Number));
}

/** Everything that a step may change, by value. */
function stateOf(parameters: readonly Tensor[], optimizer: optim.Optimizer): unknown {
    const { state } = optimizer.stateDict();
    const own = Object.values(state).map(({ step, tensors }) => ({
        step,
        tensors: bitsOf(Object.values(tensors)),
    }));
    return { parameters: bitsOf(parameters), own };
}

type Way = 'fused' | 'unscaled first';

/** One iteration with the loss sum(w x). */
function makeIteration(
    weights: Tensor,
    optimizer: optim.Optimizer,
    scaler: optim.GradScaler,
    maxNorm: number | null,
    way: Way,
): (x: Tensor) => void {
    return (x) => {
        optimizer.zeroGrad();
        scaler.scale(weights.mul(x).sum()).backward();
        if (way === 'unscaled first') {
            scaler.unscale_(optimizer);
            if (maxNorm !== null) optim.clipGradNorm([weights], maxNorm);
        }
        if (maxNorm === null || way === 'unscaled first') scaler.step(optimizer);
        else scaler.step(optimizer, { maxNorm });
        scaler.update();
    };
}

function newOptimizer({ optimizer, options }: GoldenCase, weights: Tensor): optim.Optimizer {
    return new optim[optimizer]([weights], camelCase(options));
}

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
});
