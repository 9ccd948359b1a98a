import { defineOp } from '../autograd/define_op.js';
import { isFloat, type DType } from '../tensor/dtype.js';
import { normalizeAxes, sizeOf, type Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { requireFloat } from './convert.js';
import { reduceKernel, reducedShape } from './kernels.js';
import { installMethods } from './methods.js';
import { expand, reshape } from './shape_ops.js';

/** One axis, several, or (undefined, []) all of them. */
export type Axes = number | readonly number[] | undefined;

interface ReduceOptions {
    readonly axes: readonly number[];
    readonly keepDims: boolean;
}

/** Brings the gradient of a reduction back to the input's shape. */
export function spread(dy: Tensor, shape: Shape, axes: readonly number[]): Tensor {
    return expand(reshape(dy, reducedShape(shape, axes, true)), shape);
}

/** Sums of integers and bools are int64, as in PyTorch. */
function sumDtype(dtype: DType): DType {
    return isFloat(dtype) ? dtype : 'int64';
}

const sumOp = defineOp<readonly [Tensor], ReduceOptions>({
    name: 'sum',
    forward: (_, [x], { axes, keepDims }) => reduceKernel('sum', x, axes, keepDims, sumDtype(x.dtype)),
    backward: (dy, { options, shapes: [shape = []] }) => [spread(dy, shape, options.axes)],
    differentiable: true,
});

/** Sum over axes (all by default); an empty sum is 0. */
export function sum(x: Tensor, axes?: Axes, keepDims = false): Tensor {
    return sumOp([x], { axes: normalizeAxes('sum', axes, x.rank), keepDims });
}

const meanOp = defineOp<readonly [Tensor], ReduceOptions>({
    name: 'mean',
    forward: (_, [x], { axes, keepDims }) => reduceKernel('mean', x, axes, keepDims),
    backward: (dy, { options: { axes }, shapes: [shape = []] }) => [
        spread(dy, shape, axes).div(sizeOf(axes.map((axis) => shape[axis] ?? 1))),
    ],
    differentiable: true,
});

/** Arithmetic mean over axes (all by default); of nothing it is NaN. Float dtypes only. */
export function mean(x: Tensor, axes?: Axes, keepDims = false): Tensor {
    requireFloat('mean', x);
    return meanOp([x], { axes: normalizeAxes('mean', axes, x.rank), keepDims });
}

/** Sums x to a shape that broadcasts to its own; the inverse of broadcasting. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
    const missing = x.rank - shape.length;
    const axes = x.shape
        .map((_, axis) => axis)
        .filter((axis) => axis < missing || (shape[axis - missing] === 1 && x.shape[axis] !== 1));
    const summed = axes.length > 0 ? sumOp([x], { axes, keepDims: false }) : x;
    return reshape(summed, shape);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        sum(axes?: Axes, keepDims?: boolean): Tensor;
        mean(axes?: Axes, keepDims?: boolean): Tensor;
    }
}

installMethods({ sum, mean });
