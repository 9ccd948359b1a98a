import { fullPrecision } from '../../ops/autocast.js';
import { defineOp } from '../../autograd/define_op.js';
import { noGrad } from '../../autograd/grad_mode.js';
import { scope } from '../../autograd/scope.js';
import { activeTracer } from '../../native/tracer.js';
import { softplus } from '../../ops/activation.js';
import { add, div, mul, sub } from '../../ops/arithmetic.js';
import { cast } from '../../ops/convert.js';
import { max, min } from '../../ops/extreme.js';
import { log, log1p, neg } from '../../ops/unary.js';
import { clamp } from '../../ops/where.js';
import type { Tensor } from '../../tensor/tensor.js';
import { reduceLoss, requirePair, type LossOptions } from './reduction.js';

export interface BCEOptions extends LossOptions {
    /** A factor on each term, broadcast to the prediction. */
    readonly weight?: Tensor | null;
}

export interface BCEWithLogitsOptions extends BCEOptions {
    /** A factor on the terms of positive targets, broadcast to the prediction. */
    readonly posWeight?: Tensor | null;
}

/** Keeps the loss finite where a prediction is exactly wrong, as PyTorch does. */
const lowestLog = -100;
/** PyTorch's constant, which is of single precision for every dtype. */
const leastVariance = Math.fround(1e-12);

// p [...], y [...] -> [...]
const bceOp = defineOp<readonly [Tensor, Tensor]>({
    name: 'bce_loss',
    forward: (context, [p, y]) => {
        context.save(p, y);
        const yes = clamp(log(p), lowestLog);
        const no = clamp(log1p(neg(p)), lowestLog);
        return sub(mul(sub(y, 1), no), mul(y, yes));
    },
    backward: (dy, { saved, needs }) => {
        const [p, y] = saved as [Tensor, Tensor];
        const dp = (): Tensor => mul(dy, div(sub(p, y), clamp(mul(sub(1, p), p), leastVariance)));
        const dTarget = (): Tensor => mul(dy, sub(clamp(log1p(neg(p)), lowestLog), clamp(log(p), lowestLog)));
        return [needs[0] ? dp() : null, needs[1] ? dTarget() : null];
    },
    differentiable: true,
});

/**
 * Refuses elements outside [0, 1], whose logarithms are none. Not in a step that is being captured, where there is nothing to
 * read (its checked calls are the step itself), and not on other devices, which would be waited for.
 */
function requireUnitRange(what: string, x: Tensor, hint = ''): void {
    if (activeTracer() || x.device !== 'cpu' || x.size === 0) return;
    const [least, most] = noGrad(() => scope(() => [min(x).item(), max(x).item()] as const));
    if (least >= 0 && most <= 1) return;
    const wrong = least >= 0 ? most : least;
    throw new RangeError(`[bce_loss] ${what} must lie in [0, 1], got ${wrong}${hint}`);
}

/**
 * Binary cross entropy of probabilities p in [0, 1]: mean of -(y log p + (1 - y) log(1 - p)), logarithms kept from falling
 * below -100. p, y [...] -> []. Of scores, take `bceWithLogits`, which is exact everywhere.
 *
 * @throws RangeError when the shapes differ, or elements lie outside [0, 1] (on the CPU; a captured step looks only where it is
 * checked, `validate`).
 * @example
 * import { nn, tensor } from 'nativegrad';
 * console.log(nn.bceLoss(tensor([0.5]), tensor([1])).item().toFixed(4)); // 0.6931
 */
export function bceLoss(p: Tensor, target: Tensor, options: BCEOptions = {}): Tensor {
    requirePair('bce_loss', p, target);
    requireUnitRange('probabilities', p, '; of scores, take bceWithLogits, or put a sigmoid in front');
    requireUnitRange('targets', target);
    const likelihood = fullPrecision(p);
    const terms = bceOp([likelihood, cast(target, likelihood.dtype)], {});
    return reduceLoss('bce_loss', options.weight ? mul(terms, options.weight) : terms, options.reduction);
}

/**
 * Binary cross entropy of scores x: mean of (1 - y) x + (1 + (w - 1) y) log(1 + e^-x), with w = posWeight.
 * x, y [...] -> [].
 *
 * @throws RangeError when the shapes differ.
 */
export function bceWithLogits(scores: Tensor, target: Tensor, options: BCEWithLogitsOptions = {}): Tensor {
    requirePair('bce_with_logits_loss', scores, target);
    const x = fullPrecision(scores);
    const y = cast(target, x.dtype);
    const rest = softplus(neg(x), 1, Infinity);
    const { weight, posWeight } = options;
    const share = posWeight ? mul(add(mul(y, sub(posWeight, 1)), 1), rest) : rest;
    const terms = add(mul(sub(1, y), x), share);
    const weighted = weight ? mul(terms, weight) : terms;
    return reduceLoss('bce_with_logits_loss', weighted, options.reduction);
}
