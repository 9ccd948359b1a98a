import { fullPrecision } from '../../ops/autocast.js';
import { mul, sub } from '../../ops/arithmetic.js';
import { lt } from '../../ops/compare.js';
import { abs, square } from '../../ops/unary.js';
import { where } from '../../ops/where.js';
import type { Tensor } from '../../tensor/tensor.js';
import { reduceLoss, requirePair, type LossOptions } from './reduction.js';

/**
 * Mean squared error: mean (x - y)^2. x, y [...] -> [] (or [...] with reduction none).
 *
 * @throws RangeError when the shapes differ.
 * @example
 * import { nn, tensor } from 'nativegrad';
 * console.log(nn.mseLoss(tensor([1, 2]), tensor([1, 4])).item()); // 2
 */
export function mseLoss(x: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
    requirePair('mse_loss', x, target);
    const difference = sub(fullPrecision(x), fullPrecision(target));
    return reduceLoss('mse_loss', square(difference), options.reduction);
}

/** Mean absolute error: mean |x - y|; the gradient at 0 is 0. x, y [...] -> []. */
export function l1Loss(x: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
    requirePair('l1_loss', x, target);
    const difference = sub(fullPrecision(x), fullPrecision(target));
    return reduceLoss('l1_loss', abs(difference), options.reduction);
}

export interface SmoothL1Options extends LossOptions {
    /** Difference at which the parabola becomes a line. Default: 1. */
    readonly beta?: number;
}

/**
 * Huber's loss over beta: with d = |x - y|, mean of d^2 / (2 beta) where d < beta, else d - beta / 2 (Girshick 2015).
 * beta 0 is `l1Loss`. x, y [...] -> [].
 */
export function smoothL1Loss(x: Tensor, target: Tensor, options: SmoothL1Options = {}): Tensor {
    requirePair('smooth_l1_loss', x, target);
    const beta = options.beta ?? 1;
    if (!(beta >= 0)) throw new RangeError(`[smooth_l1_loss] beta must be at least 0, got ${beta}`);
    if (beta === 0) return l1Loss(x, target, options);
    const distance = abs(sub(fullPrecision(x), fullPrecision(target)));
    const parabola = mul(square(distance), 0.5 / beta);
    const terms = where(lt(distance, beta), parabola, sub(distance, beta / 2));
    return reduceLoss('smooth_l1_loss', terms, options.reduction);
}
