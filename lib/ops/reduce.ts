import { isGradEnabled } from '../autograd/grad_mode.js';
import { defineOp } from '../autograd/define_op.js';
import { isFloat, type DType } from '../tensor/dtype.js';
import { normalizeAxes, sizeOf, type Shape } from '../tensor/shape.js';
import { describeValue } from '../support/describe_value.js';
import type { Tensor } from '../tensor/tensor.js';
import { fullPrecision } from './autocast.js';
import { requireFloat, requireTensor } from './convert.js';
import { eye } from './create.js';
import { reduceKernel, reducedShape, runNew } from './kernels.js';
import { installMethods } from './methods.js';
import { expand, permute, reshape, unsqueeze } from './shape_ops.js';
import { maskedFill } from './where.js';

/** One axis, several, or (undefined, []) all of them. */
export type Axes = number | readonly number[] | undefined;

export interface ReduceOptions {
    readonly axes: readonly number[];
    readonly keepDims: boolean;
}

/** Checks the arguments that every reduction takes. */
export function reduceOptions(op: string, x: Tensor, axes: Axes, keepDims: boolean): ReduceOptions {
    requireTensor(op, x);
    if (typeof keepDims !== 'boolean')
        throw new TypeError(`[${op}] keepDims must be true or false, got ${describeValue(keepDims)}`);
    return { axes: normalizeAxes(op, axes, x.rank), keepDims };
}

/** Number of elements that one result is made of. */
export function reducedCount(shape: Shape, axes: readonly number[]): number {
    return sizeOf(axes.map((axis) => shape[axis] ?? 1));
}

/** Brings the gradient of a reduction back to the input's shape. */
export function spread(dy: Tensor, shape: Shape, axes: readonly number[]): Tensor {
    return expand(reshape(dy, reducedShape(shape, axes, true)), shape);
}

/** Sums of integers and bools are int64, as in PyTorch. */
export function sumDtype(dtype: DType): DType {
    return isFloat(dtype) ? dtype : 'int64';
}

const sumOp = defineOp<readonly [Tensor], ReduceOptions>({
    name: 'sum',
    forward: (_, [x], { axes, keepDims }) => reduceKernel('sum', x, axes, keepDims, sumDtype(x.dtype)),
    backward: (dy, { options, shapes: [shape = []] }) => [spread(dy, shape, options.axes)],
    differentiable: true,
});

/**
 * Sum over axes (all by default); an empty sum is 0. Integers and bools give int64.
 *
 * @example
 * import { tensor } from 'nativegrad';
 * console.log(tensor([[1, 2], [3, 4]]).sum(0).toArray()); // [4, 6]
 */
export function sum(x: Tensor, axes?: Axes, keepDims = false): Tensor {
    const options = reduceOptions('sum', x, axes, keepDims);
    return sumOp([fullPrecision(x)], options);
}

const meanOp = defineOp<readonly [Tensor], ReduceOptions>({
    name: 'mean',
    forward: (_, [x], { axes, keepDims }) => reduceKernel('mean', x, axes, keepDims),
    backward: (dy, { options: { axes }, shapes: [shape = []] }) => [
        spread(dy.div(reducedCount(shape, axes)), shape, axes),
    ],
    differentiable: true,
});

/** Arithmetic mean over axes (all by default); of nothing it is NaN. Float dtypes only. */
export function mean(x: Tensor, axes?: Axes, keepDims = false): Tensor {
    const options = reduceOptions('mean', x, axes, keepDims);
    requireFloat('mean', x);
    return meanOp([fullPrecision(x)], options);
}

const prodOthersOp = defineOp({
    name: 'prod_others',
    forward: (_, [x]) => runNew('prod_others', [x], x.shape, x.dtype),
});

/** For each element the product of the others in its row: x [R, D] -> [R, D]. Exact where some are 0. */
function prodOthers(x: Tensor): Tensor {
    if (!isGradEnabled() || !x.needsGrad) return prodOthersOp([x], {});
    // Differentiable: D copies of each row, the i-th with a 1 in place of element i.
    const count = x.shape[1] ?? 1;
    const own = eye(count, count, { dtype: 'bool', device: x.device });
    const copies = expand(unsqueeze(x, 1), [x.shape[0] ?? 1, count, count]);
    return prod(maskedFill(copies, own, 1), 2);
}

const prodOp = defineOp<readonly [Tensor], ReduceOptions>({
    name: 'prod',
    forward: (context, [x], { axes, keepDims }) => {
        context.save(x);
        return reduceKernel('prod', x, axes, keepDims, sumDtype(x.dtype));
    },
    backward: (dy, { saved, options: { axes } }) => {
        const [x] = saved as [Tensor];
        const order = [...x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis)), ...axes];
        const rows = permute(x, order);
        const count = reducedCount(x.shape, axes);
        if (x.size === 0) return [spread(dy, x.shape, axes)];
        const others = reshape(prodOthers(reshape(rows, [x.size / count, count])), rows.shape);
        const back = permute(
            others,
            order.map((_, axis) => order.indexOf(axis)),
        );
        return [spread(dy, x.shape, axes).mul(back)];
    },
    differentiable: true,
});

/** Product over axes (all by default); an empty product is 1. Integers and bools give int64. */
export function prod(x: Tensor, axes?: Axes, keepDims = false): Tensor {
    const options = reduceOptions('prod', x, axes, keepDims);
    return prodOp([fullPrecision(x)], options);
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
        prod(axes?: Axes, keepDims?: boolean): Tensor;
    }
}

installMethods({ sum, mean, prod });
