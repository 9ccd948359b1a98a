// Small networks of linear layers, trained as captured steps, for the tests of calls that are put together.
import {
    autocast,
    capture,
    manualSeed,
    nn,
    optim,
    type CaptureOptions,
    type Tensor,
} from '../../lib/index.js';
import { batch, setup, stateOf, type MakeOptimizer } from './captured_setup.js';

export const adamWithDecay: MakeOptimizer = (p) => new optim.Adam(p, { lr: 1e-2, weightDecay: 0.01 });
/** Two linear layers with others between them. */
export const layers =
    (...between: (() => nn.Layer)[]) =>
    (): nn.Sequential =>
        new nn.Sequential(new nn.Linear(12, 70), ...between.map((make) => make()), new nn.Linear(70, 4));

/** The calls of linear layers and their updates. */
export function linearCalls(ops: readonly string[]): string[] {
    return ops.filter((op) => /^(linear|matmul|adam|sgd|unary)/.test(op));
}

/** Losses, state and gradients after some steps, and the calls of the program; gradients are left unless told. */
export function trained(
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
