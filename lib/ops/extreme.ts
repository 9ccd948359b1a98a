import { defineOp } from '../autograd/define_op.js';
import { normalizeAxis, shapeText } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { eq } from './compare.js';
import { requireTensor } from './convert.js';
import { reduceKernel, reducedShape, runNew, type ReduceName } from './kernels.js';
import { gather } from './gather.js';
import { installMethods } from './methods.js';
import { reducedCount, reduceOptions, spread, type Axes, type ReduceOptions } from './reduce.js';
import { reshape, squeeze } from './shape_ops.js';

/** Refuses reductions without identity over nothing, where there are results to give. */
function requireElements(op: string, x: Tensor, { axes, keepDims }: ReduceOptions): void {
    const results = reducedShape(x.shape, axes, keepDims);
    if (reducedCount(x.shape, axes) === 0 && !results.includes(0)) {
        throw new RangeError(
            `[${op}] has nothing to choose from along axes ${shapeText(axes)} of shape ${shapeText(x.shape)}`,
        );
    }
}

/** dy shared evenly by the elements of x that equal y, as PyTorch's amax does; NaN where y is NaN. */
export function shareAmongEqual(dy: Tensor, x: Tensor, y: Tensor, axes: readonly number[]): Tensor {
    const chosen = eq(x, spread(y.detach(), x.shape, axes)).to(dy.dtype);
    const count = reshape(chosen.sum(axes), dy.shape);
    return spread(dy.div(count), x.shape, axes).mul(chosen);
}

function defineExtreme(name: ReduceName & ('max' | 'min')): (x: Tensor, options: ReduceOptions) => Tensor {
    const op = defineOp<readonly [Tensor], ReduceOptions>({
        name,
        forward: (context, [x], { axes, keepDims }) => {
            const y = reduceKernel(name, x, axes, keepDims);
            context.save(x, y);
            return y;
        },
        backward: (dy, { saved, options: { axes } }) => {
            const [x, y] = saved as [Tensor, Tensor];
            return [shareAmongEqual(dy, x, y, axes)];
        },
        differentiable: true,
    });
    return (x, options) => {
        requireElements(name, x, options);
        return op([x], options);
    };
}

const [maxOp, minOp] = [defineExtreme('max'), defineExtreme('min')];

/**
 * Largest element over axes (all by default); NaN wins. The gradient is shared evenly by equal largest elements (PyTorch's
 * amax); for the gradient to the first of them alone, use `maxWithIndices`.
 *
 * @throws RangeError when there is nothing to choose from.
 */
export function max(x: Tensor, axes?: Axes, keepDims = false): Tensor {
    return maxOp(x, reduceOptions('max', x, axes, keepDims));
}

/** Smallest element over axes (all by default); NaN wins. Ties as in `max`. */
export function min(x: Tensor, axes?: Axes, keepDims = false): Tensor {
    return minOp(x, reduceOptions('min', x, axes, keepDims));
}

const argReduceNames = ['argmax', 'argmin'] as const;

function argReduce(
    name: (typeof argReduceNames)[number],
    x: Tensor,
    axis: number | undefined,
    keepDims: boolean,
): Tensor {
    const options = reduceOptions(name, x, axis, keepDims);
    requireElements(name, x, options);
    const { axes } = options;
    const parameters = [argReduceNames.indexOf(name), 0, axes.length, ...axes];
    return runNew('arg_reduce', [x], reducedShape(x.shape, axes, keepDims), 'int32', parameters, name);
}

/** Where the largest element lies along an axis, or in the flattened tensor; the first of equals, NaN first. int32. */
export function argmax(x: Tensor, axis?: number, keepDims = false): Tensor {
    return argReduce('argmax', x, axis, keepDims);
}

/** Where the smallest element lies along an axis, or in the flattened tensor; the first of equals, NaN first. int32. */
export function argmin(x: Tensor, axis?: number, keepDims = false): Tensor {
    return argReduce('argmin', x, axis, keepDims);
}

function withIndices(
    op: string,
    name: (typeof argReduceNames)[number],
    x: Tensor,
    axis: number,
    keepDims: boolean,
): [values: Tensor, indices: Tensor] {
    requireTensor(op, x);
    const at = normalizeAxis(op, axis, x.rank);
    if (x.rank === 0) return [reshape(x, []), argReduce(name, x, undefined, false)];
    const indices = argReduce(name, x, at, true);
    const values = gather(x, at, indices);
    return keepDims ? [values, indices] : [squeeze(values, at), squeeze(indices, at)];
}

/** Largest elements along one axis and where they lie (int32); the gradient goes to these alone. */
export function maxWithIndices(x: Tensor, axis: number, keepDims = false): [values: Tensor, indices: Tensor] {
    return withIndices('maxWithIndices', 'argmax', x, axis, keepDims);
}

/** Smallest elements along one axis and where they lie (int32); the gradient goes to these alone. */
export function minWithIndices(x: Tensor, axis: number, keepDims = false): [values: Tensor, indices: Tensor] {
    return withIndices('minWithIndices', 'argmin', x, axis, keepDims);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        max(axes?: Axes, keepDims?: boolean): Tensor;
        min(axes?: Axes, keepDims?: boolean): Tensor;
        argmax(axis?: number, keepDims?: boolean): Tensor;
        argmin(axis?: number, keepDims?: boolean): Tensor;
        maxWithIndices(axis: number, keepDims?: boolean): [values: Tensor, indices: Tensor];
        minWithIndices(axis: number, keepDims?: boolean): [values: Tensor, indices: Tensor];
    }
}

installMethods({ max, min, argmax, argmin, maxWithIndices, minWithIndices });
