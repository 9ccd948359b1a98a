import { defineOp } from '../autograd/define_op.js';
import { shapeText } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { fullPrecision } from './autocast.js';
import { eq } from './compare.js';
import { requireFloat } from './convert.js';
import { zerosLike } from './create.js';
import { shareAmongEqual } from './extreme.js';
import { reduceKernel, reducedShape } from './kernels.js';
import { installMethods } from './methods.js';
import { pow } from './pow.js';
import { reducedCount, reduceOptions, spread, type Axes, type ReduceOptions } from './reduce.js';
import { abs, sign } from './unary.js';
import { maskedFill } from './where.js';

interface NormOptions extends ReduceOptions {
    readonly order: number;
}

function normKernel(x: Tensor, { axes, keepDims, order }: NormOptions): Tensor {
    switch (order) {
        case Infinity:
            return reduceKernel('abs_max', x, axes, keepDims);
        case -Infinity:
            return reduceKernel('abs_min', x, axes, keepDims);
        case 0:
            return reduceKernel('count_nonzero', x, axes, keepDims);
        case 1:
            return reduceKernel('norm1', x, axes, keepDims);
        case 2:
            return reduceKernel('norm2', x, axes, keepDims);
        default:
            return reduceKernel('norm_p', x, axes, keepDims, x.dtype, order);
    }
}

/** dx = sign(x) |x|^(p - 1) / y^(p - 1) dy, and 0 where that has no value at 0. */
function powerBackward(dy: Tensor, x: Tensor, y: Tensor, { axes, order }: NormOptions): Tensor {
    const scale = maskedFill(dy.div(pow(y, order - 1)), eq(y, 0), 0);
    if (order === 2) return spread(scale, x.shape, axes).mul(x);
    const powers = maskedFill(pow(abs(x), order - 1), eq(x, 0), 0);
    return spread(scale, x.shape, axes).mul(sign(x)).mul(powers);
}

const normOp = defineOp<readonly [Tensor], NormOptions>({
    name: 'norm',
    forward: (context, [x], options) => {
        const y = normKernel(x, options);
        context.save(x, y);
        return y;
    },
    backward: (dy, { saved, options }) => {
        const [x, y] = saved as [Tensor, Tensor];
        const { axes, order } = options;
        if (order === 0) return [zerosLike(x)];
        if (order === 1) return [spread(dy, x.shape, axes).mul(sign(x))];
        if (Number.isFinite(order)) return [powerBackward(dy, x, y, options)];
        return [shareAmongEqual(dy, abs(x.detach()), y, axes).mul(sign(x))];
    },
    differentiable: true,
});

/**
 * Vector norm over axes (all by default): (sum |x|^p)^(1/p); the largest or smallest |x| for p = Infinity or -Infinity; the
 * number of elements other than 0 for p = 0. Gradients at 0 are 0, those of ±Infinity are shared evenly by equals.
 *
 * @throws TypeError for integers; RangeError for p = ±Infinity (or p < 0) of nothing, or when p is NaN.
 * @example
 * import { tensor } from 'nativegrad';
 * console.log(tensor([3, -4]).norm().item(), tensor([3, -4]).norm(1).item()); // 5 7
 */
export function norm(x: Tensor, order = 2, axes?: Axes, keepDims = false): Tensor {
    const options = reduceOptions('norm', x, axes, keepDims);
    requireFloat('norm', x);
    if (typeof order !== 'number' || Number.isNaN(order))
        throw new RangeError(`[norm] the order must be a number, got ${String(order)}`);
    const empty = reducedCount(x.shape, options.axes) === 0;
    if (
        empty &&
        (order < 0 || order === Infinity) &&
        !reducedShape(x.shape, options.axes, keepDims).includes(0)
    ) {
        throw new RangeError(
            `[norm] order ${order} has no value over nothing, along axes ${shapeText(options.axes)} of ${shapeText(x.shape)}`,
        );
    }
    return normOp([fullPrecision(x)], { ...options, order });
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        norm(order?: number, axes?: Axes, keepDims?: boolean): Tensor;
    }
}

installMethods({ norm });
