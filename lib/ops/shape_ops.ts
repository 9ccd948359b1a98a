import { defineOp } from '../autograd/define_op.js';
import {
    checkShape,
    isRowMajor,
    listArgument,
    normalizeAxis,
    rowMajorStrides,
    sameShape,
    shapeText,
    sizeOf,
    type Shape,
} from '../tensor/shape.js';
import { viewOf, type Tensor } from '../tensor/tensor.js';
import { requireTensor } from './convert.js';
import { copyKernel } from './kernels.js';
import { installMethods } from './methods.js';
import { zeros } from './create.js';
import { run } from '../native/call.js';

/** Strides of `shape` over the elements of x without copying, or null where no such strides exist. */
function stridesForReshape(x: Tensor, shape: Shape): number[] | null {
    if (isRowMajor(x.shape, x.strides)) return rowMajorStrides(shape);
    // Walk both shapes from the right; each run of old dimensions that one stride covers must split into new dimensions.
    const strides = new Array<number>(shape.length);
    let axis = shape.length - 1;
    let old = x.rank - 1;
    while (old >= 0) {
        let run = x.shape[old] ?? 1;
        const base = x.strides[old] ?? 1;
        while (old > 0 && (x.strides[old - 1] === run * base || x.shape[old - 1] === 1)) {
            old--;
            run *= x.shape[old] ?? 1;
        }
        let stride = base;
        let covered = 1;
        while (axis >= 0 && (covered < run || shape[axis] === 1)) {
            strides[axis] = stride;
            covered *= shape[axis] ?? 1;
            stride *= shape[axis] ?? 1;
            axis--;
        }
        if (covered !== run) return null;
        old--;
    }
    for (; axis >= 0; axis--) strides[axis] = 1;
    return strides;
}

const reshapeOp = defineOp<readonly [Tensor], { shape: Shape }>({
    name: 'reshape',
    forward: (_, [x], { shape }) => {
        const strides = stridesForReshape(x, shape);
        if (strides) return viewOf(x, shape, strides);
        const copy = copyKernel(x);
        const view = viewOf(copy, shape, rowMajorStrides(shape));
        copy.dispose();
        return view;
    },
    backward: (dy, { shapes: [shape = []] }) => [reshape(dy, shape)],
    differentiable: true,
});

/**
 * The same elements, in row-major order, in another shape; one size may be -1 and is inferred. A view where strides allow
 * it, else a copy. Sizes may also come one by one, as in PyTorch: `x.reshape(2, 3)`.
 *
 * @throws RangeError when the sizes hold another number of elements.
 * @example
 * import { arange } from 'nativegrad';
 * console.log(arange(6).reshape([2, -1]).shape); // [2, 3]
 */
export function reshape(x: Tensor, sizes: Shape | number, ...more: number[]): Tensor {
    requireTensor('reshape', x);
    const shape = listArgument('reshape', 'the shape', sizes, more);
    const unknown = shape.filter((size) => size === -1).length;
    const known = sizeOf(shape.filter((size) => size !== -1));
    const inferred = shape.map((size) => (size === -1 ? x.size / known : size));
    if (
        unknown > 1 ||
        inferred.some((size) => !Number.isInteger(size) || size < 0) ||
        sizeOf(inferred) !== x.size
    ) {
        throw new RangeError(
            `[reshape] cannot bring ${x.size} elements of shape ${shapeText(x.shape)} into ${shapeText(shape)}`,
        );
    }
    checkShape('reshape', inferred);
    return reshapeOp([x], { shape: inferred });
}

/** Joins dimensions `start` to `end` (both included) into one. */
export function flatten(x: Tensor, start = 0, end = -1): Tensor {
    requireTensor('flatten', x);
    if (x.rank === 0) return reshape(x, [1]);
    const first = normalizeAxis('flatten', start, x.rank);
    const last = normalizeAxis('flatten', end, x.rank);
    if (first > last) throw new RangeError(`[flatten] start ${start} lies behind end ${end}`);
    return reshape(x, [
        ...x.shape.slice(0, first),
        sizeOf(x.shape.slice(first, last + 1)),
        ...x.shape.slice(last + 1),
    ]);
}

const permuteOp = defineOp<readonly [Tensor], { axes: readonly number[] }>({
    name: 'permute',
    forward: (_, [x], { axes }) =>
        viewOf(
            x,
            axes.map((axis) => x.shape[axis] ?? 1),
            axes.map((axis) => x.strides[axis] ?? 1),
        ),
    backward: (dy, { options: { axes } }) => [
        permute(
            dy,
            axes.map((_, axis) => axes.indexOf(axis)),
        ),
    ],
    differentiable: true,
});

/** Reorders the dimensions, named in a list or one by one; a view. */
export function permute(x: Tensor, first: readonly number[] | number, ...more: number[]): Tensor {
    requireTensor('permute', x);
    const axes = listArgument('permute', 'the axes', first, more);
    const order = axes.map((axis) => normalizeAxis('permute', axis, x.rank));
    if (order.length !== x.rank || new Set(order).size !== x.rank) {
        throw new RangeError(`[permute] axes ${shapeText(axes)} must name each of ${x.rank} dimensions once`);
    }
    return permuteOp([x], { axes: order });
}

/** Swaps two dimensions (the last two by default); a view. */
export function transpose(x: Tensor, a = -2, b = -1): Tensor {
    requireTensor('transpose', x);
    const axes = Array.from({ length: x.rank }, (_, axis) => axis);
    const first = normalizeAxis('transpose', a, x.rank);
    const second = normalizeAxis('transpose', b, x.rank);
    if (x.rank === 0) return x;
    [axes[first], axes[second]] = [second, first];
    return permuteOp([x], { axes });
}

const expandOp = defineOp<readonly [Tensor], { shape: Shape }>({
    name: 'expand',
    forward: (_, [x], { shape }) => {
        const missing = shape.length - x.rank;
        const strides = shape.map((size, axis) =>
            axis < missing || (x.shape[axis - missing] === 1 && size !== 1)
                ? 0
                : (x.strides[axis - missing] ?? 0),
        );
        return viewOf(x, shape, strides);
    },
    // The tape sums the gradient to the input's shape.
    backward: (dy) => [dy],
    differentiable: true,
});

/**
 * Repeats dimensions of size 1 (and new leading ones) without copying; -1 keeps a size. Sizes come in a list or one by one.
 * A read-only view.
 */
export function expand(x: Tensor, sizes: Shape | number, ...more: number[]): Tensor {
    requireTensor('expand', x);
    const shape = listArgument('expand', 'the shape', sizes, more);
    const missing = shape.length - x.rank;
    const target = shape.map((size, axis) => (size === -1 ? (x.shape[axis - missing] ?? -1) : size));
    const fits = missing >= 0 && x.shape.every((size, axis) => size === 1 || size === target[axis + missing]);
    if (!fits)
        throw new RangeError(`[expand] shape ${shapeText(x.shape)} does not expand to ${shapeText(shape)}`);
    checkShape('expand', target);
    return sameShape(target, x.shape) ? x : expandOp([x], { shape: target });
}

/** Drops dimensions of size 1: one of them, or all. */
export function squeeze(x: Tensor, axis?: number): Tensor {
    requireTensor('squeeze', x);
    if (axis === undefined)
        return reshape(
            x,
            x.shape.filter((size) => size !== 1),
        );
    const at = normalizeAxis('squeeze', axis, x.rank);
    return x.shape[at] === 1
        ? reshape(
              x,
              x.shape.filter((_, i) => i !== at),
          )
        : x;
}

/** Inserts a dimension of size 1. */
export function unsqueeze(x: Tensor, axis: number): Tensor {
    requireTensor('unsqueeze', x);
    const at = normalizeAxis('unsqueeze', axis, x.rank + 1);
    return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}

interface SliceOptions {
    readonly axis: number;
    readonly start: number;
    readonly length: number;
    readonly step: number;
}

function sliceView(x: Tensor, { axis, start, length, step }: SliceOptions): Tensor {
    const shape = x.shape.map((size, i) => (i === axis ? length : size));
    const strides = x.strides.map((stride, i) => (i === axis ? stride * step : stride));
    return viewOf(x, shape, strides, length === 0 ? 0 : start * (x.strides[axis] ?? 1));
}

const sliceOp = defineOp<readonly [Tensor], SliceOptions>({
    name: 'slice',
    forward: (_, [x], options) => sliceView(x, options),
    backward: (dy, { options, shapes: [shape = []] }) => [sliceScatter(dy, shape, options)],
    differentiable: true,
});

const sliceScatterOp = defineOp<readonly [Tensor], { shape: Shape; slice: SliceOptions }>({
    name: 'slice_scatter',
    forward: (_, [dy], { shape, slice: options }) => {
        const dx = zeros(shape, { dtype: dy.dtype, device: dy.device });
        const target = sliceView(dx, options);
        run('copy', [dy], [target]);
        target.dispose();
        return dx;
    },
    backward: (gradient, { options }) => [sliceOp([gradient], options.slice)],
    differentiable: true,
});

/** Zeros of `shape` with dy in the slice. */
function sliceScatter(dy: Tensor, shape: Shape, options: SliceOptions): Tensor {
    return sliceScatterOp([dy], { shape, slice: options });
}

/**
 * Elements start, start + step, … before `end` along one axis; a view. Negative positions count from the end and positions
 * past the end are cut, as in Python.
 */
export function slice(x: Tensor, axis: number, start = 0, end?: number, step = 1): Tensor {
    requireTensor('slice', x);
    const at = normalizeAxis('slice', axis, x.rank);
    if (x.rank === 0) throw new RangeError('[slice] a 0-d tensor has no dimension to slice');
    if (!Number.isInteger(step) || step < 1)
        throw new RangeError(`[slice] step must be a positive integer, got ${step}`);
    const size = x.shape[at] ?? 0;
    const clip = (position: number): number => {
        if (!Number.isInteger(position))
            throw new RangeError(`[slice] positions must be integers, got ${position}`);
        return Math.min(Math.max(position < 0 ? position + size : position, 0), size);
    };
    const from = clip(start);
    const to = clip(end ?? size);
    return sliceOp([x], { axis: at, start: from, length: Math.max(0, Math.ceil((to - from) / step)), step });
}

/** One position along an axis, which disappears; a view. */
export function select(x: Tensor, axis: number, index: number): Tensor {
    requireTensor('select', x);
    const at = normalizeAxis('select', axis, x.rank);
    const size = x.shape[at] ?? 0;
    if (!Number.isInteger(index) || index < -size || index >= size) {
        throw new RangeError(`[select] index ${index} is outside [${-size}, ${size - 1}] of axis ${axis}`);
    }
    const position = index < 0 ? index + size : index;
    return squeeze(slice(x, at, position, position + 1), at);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        reshape(shape: Shape): Tensor;
        reshape(...sizes: number[]): Tensor;
        flatten(start?: number, end?: number): Tensor;
        permute(axes: readonly number[]): Tensor;
        permute(...axes: number[]): Tensor;
        transpose(a?: number, b?: number): Tensor;
        expand(shape: Shape): Tensor;
        expand(...sizes: number[]): Tensor;
        squeeze(axis?: number): Tensor;
        unsqueeze(axis: number): Tensor;
        slice(axis: number, start?: number, end?: number, step?: number): Tensor;
        select(axis: number, index: number): Tensor;
    }
}

installMethods({ reshape, flatten, permute, transpose, expand, squeeze, unsqueeze, slice, select });
