import { defineOp } from '../autograd/define_op.js';
import { isFloat } from '../tensor/dtype.js';
import { normalizeAxis, shapeText, type Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { eq } from './compare.js';
import { cast, contiguous, requireTensor } from './convert.js';
import { zeros } from './create.js';
import { copyKernel, runNew } from './kernels.js';
import { installMethods } from './methods.js';
import { reshape, slice } from './shape_ops.js';
import { maskedFill } from './where.js';

/** Refuses what cannot be an index; out-of-range values are found by the kernels. */
export function requireIndex(op: string, index: unknown): asserts index is Tensor {
    requireTensor(op, index, 'the index');
    if (isFloat(index.dtype) || index.dtype === 'bool') {
        throw new TypeError(
            `[${op}] the index must be int32, int64 or uint8, got ${index.dtype}; cast with x.to('int32')`,
        );
    }
}

interface GatherOptions {
    readonly axis: number;
    /** Negative indices count from the end. */
    readonly wrap: boolean;
    /** The name in errors. */
    readonly label: string;
}

function gatherAlong(x: Tensor, index: Tensor, options: GatherOptions): Tensor {
    return gatherOp([x, index], options);
}

function scatterAlong(x: Tensor, index: Tensor, source: Tensor, options: GatherOptions): Tensor {
    return scatterAddOp([x, index, source], options);
}

const gatherOp = defineOp<readonly [Tensor, Tensor], GatherOptions>({
    name: 'gather',
    forward: (context, [x, index], { axis, wrap, label }) => {
        context.save(index);
        return runNew('gather', [x, index], index.shape, x.dtype, [axis, Number(wrap)], label);
    },
    backward: (dy, { saved: [index], options, shapes: [shape = []] }) => [
        scatterAlong(zeros(shape, { dtype: dy.dtype, device: dy.device }), index, dy, options),
        null,
    ],
    differentiable: true,
});

const scatterAddOp = defineOp<readonly [Tensor, Tensor, Tensor], GatherOptions>({
    name: 'scatter_add',
    forward: (context, [x, index, source], { axis, wrap, label }) => {
        context.save(index);
        return runNew('scatter_add', [x, index, source], x.shape, x.dtype, [axis, Number(wrap)], label);
    },
    backward: (dy, { saved: [index], options, needs }) => [
        dy,
        null,
        needs[2] ? gatherAlong(dy, index, options) : null,
    ],
    differentiable: true,
});

/** Sizes of the index may not exceed those of `other`, beside the axis. */
function requireIndexFits(op: string, index: Tensor, other: Shape, axis: number | null, what: string): void {
    const fits =
        index.rank === other.length && index.shape.every((size, i) => i === axis || size <= (other[i] ?? 0));
    if (!fits) {
        throw new RangeError(
            `[${op}] the index ${shapeText(index.shape)} must have the rank of ${what} ${shapeText(other)}` +
                `, and no larger sizes${axis === null ? '' : ` beside axis ${axis}`}`,
        );
    }
}

/**
 * out[.., i, ..] = x[.., index[.., i, ..], ..] along an axis. The index has x's rank and gives the result's shape; beside
 * the axis it may be smaller than x. Indices lie in [0, D).
 *
 * Shapes: x [.., D, ..], index [.., n, ..] -> [.., n, ..].
 *
 * @throws RangeError for shapes that do not fit; Error that names the place of an index out of range.
 * @example
 * import { tensor } from 'nativegrad';
 * const x = tensor([[1, 2], [3, 4]]);
 * console.log(x.gather(1, tensor([[1], [0]], { dtype: 'int32' })).toArray()); // [[2], [3]]
 */
export function gather(x: Tensor, axis: number, index: Tensor): Tensor {
    requireTensor('gather', x);
    requireIndex('gather', index);
    const at = normalizeAxis('gather', axis, x.rank);
    requireIndexFits('gather', index, x.shape, at, 'x');
    if (x.rank === 0) return reshape(gather(reshape(x, [1]), 0, reshape(index, [1])), []);
    return gatherAlong(x, index, { axis: at, wrap: false, label: 'gather' });
}

/**
 * A copy of x with source[.., i, ..] added at index[.., i, ..] along an axis, in the order of the index: the same bits for
 * any number of threads.
 *
 * Shapes: x [.., D, ..], index [.., n, ..], source at least as large as the index -> x's shape.
 */
export function scatterAdd(x: Tensor, axis: number, index: Tensor, source: Tensor): Tensor {
    requireTensor('scatter_add', x);
    requireIndex('scatter_add', index);
    requireTensor('scatter_add', source, 'the source');
    const at = normalizeAxis('scatter_add', axis, x.rank);
    requireIndexFits('scatter_add', index, x.shape, at, 'x');
    requireIndexFits('scatter_add', index, source.shape, null, 'the source');
    if (x.dtype !== source.dtype) {
        throw new TypeError(
            `[scatter_add] dtypes differ: x ${x.dtype}, source ${source.dtype}; cast one with x.to('${x.dtype}')`,
        );
    }
    if (x.rank === 0) {
        const one = scatterAdd(reshape(x, [1]), 0, reshape(index, [1]), reshape(source, [1]));
        return reshape(one, []);
    }
    const used = index.shape.reduce((part, size, i) => slice(part, i, 0, size), source);
    return scatterAlong(x, index, used, { axis: at, wrap: false, label: 'scatter_add' });
}

/** Elements of the flattened x at the places in `index`, which gives the shape; negative ones count from the end. */
export function take(x: Tensor, index: Tensor): Tensor {
    requireTensor('take', x);
    requireIndex('take', index);
    const places = reshape(index, [index.size]);
    const options = { axis: 0, wrap: true, label: 'take' };
    return reshape(gatherAlong(reshape(x, [x.size]), places, options), index.shape);
}

interface SelectOptions {
    readonly axis: number;
    /** An index that no gradient flows to; -1 = none. */
    readonly skip: number;
    readonly label: string;
}

function selectSlices(x: Tensor, index: Tensor, options: SelectOptions): Tensor {
    return indexSelectOp([x, index], options);
}

/** The adjoint of `selectSlices`: slices of dy summed at their places in `size` slices of zeros. index [n] */
export function addSlices(dy: Tensor, index: Tensor, size: number, options: SelectOptions): Tensor {
    return indexAddOp([dy, index], { ...options, size });
}

const indexSelectOp = defineOp<readonly [Tensor, Tensor], SelectOptions>({
    name: 'index_select',
    forward: (context, [x, index], { axis, label }) => {
        context.save(index);
        const shape = x.shape.map((size, i) => (i === axis ? index.size : size));
        return runNew('index_select', [x, index], shape, x.dtype, [axis], label);
    },
    backward: (dy, { saved: [index], options, shapes: [shape = []] }) => [
        addSlices(dy, index, shape[options.axis] ?? 0, options),
        null,
    ],
    differentiable: true,
});

const indexAddOp = defineOp<readonly [Tensor, Tensor], SelectOptions & { readonly size: number }>({
    name: 'index_add',
    forward: (context, [dy, index], { axis, skip, size, label }) => {
        context.save(index);
        // Sums of two-byte floats run in float32.
        const wide = dy.dtype === 'float64' ? dy : cast(dy, 'float32');
        const source = wide.isContiguous ? wide : copyKernel(wide);
        const shape = dy.shape.map((own, i) => (i === axis ? size : own));
        return cast(runNew('index_add', [source, index], shape, wide.dtype, [axis, skip], label), dy.dtype);
    },
    backward: (gradient, { saved: [index], options: { axis, skip, label } }) => {
        const dx = selectSlices(gradient, index, { axis, skip, label });
        return [skip < 0 ? dx : withoutRows(dx, index, axis, skip), null];
    },
    differentiable: true,
});

/** Zeros where the index along the axis is `skip`. */
function withoutRows(x: Tensor, index: Tensor, axis: number, skip: number): Tensor {
    const shape = x.shape.map((size, i) => (i === axis ? size : 1));
    return maskedFill(x, reshape(eq(index, skip), shape), 0);
}

/**
 * The slices of x along an axis at the places in `index` [n], in [0, D).
 *
 * Shapes: x [.., D, ..], index [n] -> [.., n, ..].
 */
export function indexSelect(x: Tensor, axis: number, index: Tensor): Tensor {
    requireTensor('index_select', x);
    requireIndex('index_select', index);
    const at = normalizeAxis('index_select', axis, x.rank);
    if (index.rank > 1 || (x.rank === 0 && index.size !== 1)) {
        throw new RangeError(`[index_select] the index must be [n], got ${shapeText(index.shape)}`);
    }
    const places = reshape(index, [index.size]);
    if (x.rank === 0) return reshape(indexSelect(reshape(x, [1]), 0, places), []);
    return selectSlices(x, places, { axis: at, skip: -1, label: 'index_select' });
}

/**
 * Rows of a table: out[..., :] = weight[index[...], :]. The row `paddingIndex` gets no gradient.
 *
 * Shapes: index [...], weight [V, D] -> [..., D].
 *
 * @throws RangeError when the weight is no matrix or `paddingIndex` lies outside; Error that names an index out of range.
 */
export function embedding(index: Tensor, weight: Tensor, paddingIndex?: number): Tensor {
    requireIndex('embedding', index);
    requireTensor('embedding', weight, 'the weight');
    const [rows = 0, width = 0] = weight.shape;
    if (weight.rank !== 2)
        throw new RangeError(`[embedding] the weight must be [V, D], got ${shapeText(weight.shape)}`);
    if (
        paddingIndex !== undefined &&
        (!Number.isInteger(paddingIndex) || paddingIndex < -rows || paddingIndex >= rows)
    ) {
        throw new RangeError(`[embedding] paddingIndex ${paddingIndex} is outside [${-rows}, ${rows - 1}]`);
    }
    const skip = paddingIndex === undefined ? -1 : paddingIndex < 0 ? paddingIndex + rows : paddingIndex;
    const places = contiguous(reshape(index, [index.size]));
    const found = selectSlices(weight, places, { axis: 0, skip, label: 'embedding' });
    return reshape(found, [...index.shape, width]);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        gather(axis: number, index: Tensor): Tensor;
        scatterAdd(axis: number, index: Tensor, source: Tensor): Tensor;
        take(index: Tensor): Tensor;
        indexSelect(axis: number, index: Tensor): Tensor;
    }
}

installMethods({ gather, scatterAdd, take, indexSelect });
