import { readFileSync } from 'node:fs';
import { nn, optim, tensor, type Tensor } from '../../lib/index.js';

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

export const golden = JSON.parse(
    readFileSync(new URL('../golden/grad_scaler.json', import.meta.url), 'utf8'),
) as Golden;
export const inputs = golden.inputs.map((row) => row.map(Number));
export const isBad = inputs.map((row) => !row.every(Number.isFinite));

/** PyTorch's names as ours. */
function camelCase(options: Readonly<Record<string, number | boolean>>): object {
    const name = (key: string): string => key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    return Object.fromEntries(Object.entries(options).map(([key, value]) => [name(key), value]));
}

export function newScaler(): optim.GradScaler {
    return new optim.GradScaler(camelCase(golden.scaler));
}

export function bitsOf(tensors: Iterable<Tensor>): number[][] {
    return [...tensors].map((x) => Array.from(x.dataSync(), Number));
}

/** Everything that a step may change, by value. */
export function stateOf(parameters: readonly Tensor[], optimizer: optim.Optimizer): unknown {
    const { state } = optimizer.stateDict();
    const own = Object.values(state).map(({ step, tensors }) => ({
        step,
        tensors: bitsOf(Object.values(tensors)),
    }));
    return { parameters: bitsOf(parameters), own };
}

type Way = 'fused' | 'unscaled first';

/** One iteration with the loss sum(w x). */
export function makeIteration(
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

export function newOptimizer({ optimizer, options }: GoldenCase, weights: Tensor): optim.Optimizer {
    return new optim[optimizer]([weights], camelCase(options));
}

/** Weights, momentum and a scaler of their own. */
export function newIteration(): { weights: Tensor; optimizer: optim.Optimizer; scaler: optim.GradScaler } {
    const weights = new nn.Parameter(tensor([...golden.weights]));
    return {
        weights,
        optimizer: new optim.SGD([weights], { lr: 0.1, momentum: 0.9 }),
        scaler: newScaler(),
    };
}
