import { defineOp } from '../autograd/define_op.js';
import type { Tensor } from '../tensor/tensor.js';
import { fullPrecision } from './autocast.js';
import { eq } from './compare.js';
import { requireFloat } from './convert.js';
import { reduceKernel } from './kernels.js';
import { installMethods } from './methods.js';
import { mean, reducedCount, reduceOptions, spread, type Axes, type ReduceOptions } from './reduce.js';
import { maskedFill } from './where.js';

interface MomentOptions extends ReduceOptions {
    readonly correction: number;
}

/** Gradient of the variance: dx = 2 (x - mean) / (n - correction) dy. */
function varianceBackward(dy: Tensor, x: Tensor, { axes, correction }: MomentOptions): Tensor {
    const scale = 2 / (reducedCount(x.shape, axes) - correction);
    return spread(dy.mul(scale), x.shape, axes).mul(x.sub(mean(x, axes, true)));
}

const varOp = defineOp<readonly [Tensor], MomentOptions>({
    name: 'var',
    forward: (context, [x], { axes, keepDims, correction }) => {
        context.save(x);
        return reduceKernel('var', x, axes, keepDims, x.dtype, correction);
    },
    backward: (dy, { saved: [x], options }) => [x.size === 0 ? x : varianceBackward(dy, x, options)],
    differentiable: true,
});

const stdOp = defineOp<readonly [Tensor], MomentOptions>({
    name: 'std',
    forward: (context, [x], { axes, keepDims, correction }) => {
        const y = reduceKernel('std', x, axes, keepDims, x.dtype, correction);
        context.save(x, y);
        return y;
    },
    // Where all elements are equal, the gradient is 0, as in PyTorch.
    backward: (dy, { saved, options }) => {
        const [x, y] = saved as [Tensor, Tensor];
        if (x.size === 0) return [x];
        return [varianceBackward(maskedFill(dy.div(y.mul(2)), eq(y, 0), 0), x, options)];
    },
    differentiable: true,
});

function momentOptions(
    op: string,
    x: Tensor,
    axes: Axes,
    keepDims: boolean,
    correction: number,
): MomentOptions {
    const options = reduceOptions(op, x, axes, keepDims);
    requireFloat(op, x);
    if (!Number.isFinite(correction))
        throw new RangeError(`[${op}] the correction must be a finite number, got ${correction}`);
    return { ...options, correction };
}

/**
 * Variance over axes (all by default): sum (x - mean)^2 / (n - correction). The correction 1 (Bessel's) is PyTorch's default;
 * where n <= correction the result is NaN or Infinity. As a method, also `x.var(…)`.
 *
 * @throws TypeError for integers.
 * @example
 * import { tensor } from 'nativegrad';
 * console.log(tensor([1, 2, 3, 4]).var(0, false, 0).item()); // 1.25
 */
export function variance(x: Tensor, axes?: Axes, keepDims = false, correction = 1): Tensor {
    const options = momentOptions('var', x, axes, keepDims, correction);
    return varOp([fullPrecision(x)], options);
}

/** Standard deviation over axes (all by default): the root of `variance`. */
export function std(x: Tensor, axes?: Axes, keepDims = false, correction = 1): Tensor {
    const options = momentOptions('std', x, axes, keepDims, correction);
    return stdOp([fullPrecision(x)], options);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        var(axes?: Axes, keepDims?: boolean, correction?: number): Tensor;
        variance(axes?: Axes, keepDims?: boolean, correction?: number): Tensor;
        std(axes?: Axes, keepDims?: boolean, correction?: number): Tensor;
    }
}

installMethods({ var: variance, variance, std });
