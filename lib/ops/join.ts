import { defineOp } from '../autograd/define_op.js';
import { describeValue, isList } from '../support/describe_value.js';
import { promote } from '../tensor/dtype.js';
import { normalizeAxis, sameShape, shapeText } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { requireTensor } from './convert.js';
import { runNew } from './kernels.js';
import { installMethods } from './methods.js';
import { slice, unsqueeze } from './shape_ops.js';

/** As many tensors as one native call takes. */
const mostOperands = 128;

const concatOp = defineOp<readonly Tensor[], { axis: number }>({
    name: 'concat',
    forward: (_, inputs, { axis }) => {
        const sizes = inputs.map((x) => x.shape[axis] ?? 0);
        const total = sizes.reduce((sum, size) => sum + size, 0);
        const dtype = inputs.map((x) => x.dtype).reduce(promote);
        const shape = (inputs[0]?.shape ?? []).map((size, i) => (i === axis ? total : size));
        return runNew('concat', inputs, shape, dtype, [axis]);
    },
    backward: (dy, { options: { axis }, shapes, needs }) => {
        let end = 0;
        return shapes.map((shape, i) => {
            const start = end;
            end += shape[axis] ?? 0;
            return needs[i] ? slice(dy, axis, start, end) : null;
        });
    },
    differentiable: true,
});

function requireList(op: string, tensors: readonly Tensor[]): Tensor {
    if (!isList(tensors) || tensors.length === 0)
        throw new TypeError(`[${op}] takes an array of one or more tensors`);
    tensors.forEach((x: unknown, i) => {
        requireTensor(op, x, `element ${i}`);
    });
    return tensors[0];
}

/**
 * Joins tensors along an axis; beside it, their sizes are equal. The dtype is the promoted one. A tensor of shape [0] joins
 * anything, as in PyTorch.
 *
 * Shapes: [.., D_i, ..] -> [.., sum of D_i, ..].
 *
 * @example
 * import { concat, ones, zeros } from 'nativegrad';
 * console.log(concat([ones([2, 3]), zeros([1, 3])]).shape); // [3, 3]
 */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
    requireList('concat', tensors);
    const empty = (x: Tensor): boolean => sameShape(x.shape, [0]);
    const model = tensors.find((x) => !empty(x)) ?? tensors[0];
    if (model.rank === 0) throw new RangeError('[concat] 0-d tensors cannot be joined; use stack()');
    const at = normalizeAxis('concat', axis, model.rank);
    const parts = tensors.filter((x) => x.rank === model.rank || !empty(x));
    for (const x of parts) {
        const fits = x.rank === model.rank && x.shape.every((size, i) => i === at || size === model.shape[i]);
        if (!fits) {
            throw new RangeError(
                `[concat] shapes ${shapeText(model.shape)} and ${shapeText(x.shape)} differ beside axis ${axis}`,
            );
        }
    }
    return joinAll(parts, at);
}

function joinAll(tensors: readonly Tensor[], axis: number): Tensor {
    if (tensors.length <= mostOperands) return concatOp(tensors, { axis });
    const groups: Tensor[] = [];
    for (let i = 0; i < tensors.length; i += mostOperands)
        groups.push(concatOp(tensors.slice(i, i + mostOperands), { axis }));
    return joinAll(groups, axis);
}

/** Joins tensors of one shape along a new axis: n times [..] -> [.., n, ..]. */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
    const first = requireList('stack', tensors);
    const at = normalizeAxis('stack', axis, first.rank + 1);
    for (const x of tensors) {
        if (!sameShape(x.shape, first.shape)) {
            throw new RangeError(`[stack] shapes ${shapeText(first.shape)} and ${shapeText(x.shape)} differ`);
        }
    }
    return joinAll(
        tensors.map((x) => unsqueeze(x, at)),
        at,
    );
}

/** `length` elements from `start` along an axis; a view. Negative starts count from the end. */
export function narrow(x: Tensor, axis: number, start: number, length: number): Tensor {
    requireTensor('narrow', x);
    const at = normalizeAxis('narrow', axis, x.rank);
    const size = x.shape[at] ?? 0;
    const from = start < 0 ? start + size : start;
    const fits = Number.isInteger(from) && Number.isInteger(length) && from >= 0 && length >= 0;
    if (x.rank === 0 || !fits || from + length > size) {
        throw new RangeError(
            `[narrow] ${length} elements from ${start} leave axis ${axis} of shape ${shapeText(x.shape)}`,
        );
    }
    return slice(x, at, from, from + length);
}

/**
 * Cuts x along an axis into views: pieces of one size (the last may be smaller), or of the given sizes.
 *
 * @throws RangeError when the sizes do not add up to the axis.
 */
export function split(x: Tensor, size: number | readonly number[], axis = 0): Tensor[] {
    requireTensor('split', x);
    const at = normalizeAxis('split', axis, x.rank);
    if (x.rank === 0) throw new RangeError('[split] a 0-d tensor cannot be cut');
    const total = x.shape[at] ?? 0;
    const isSize = (n: number, least: number): boolean => Number.isInteger(n) && n >= least;
    if (typeof size === 'number') {
        if (!isSize(size, 1))
            throw new RangeError(`[split] the size must be a positive integer, got ${size}`);
        const count = Math.max(1, Math.ceil(total / size));
        return Array.from({ length: count }, (_, i) => slice(x, at, i * size, (i + 1) * size));
    }
    if (!isList(size))
        throw new TypeError(`[split] needs a size or a list of sizes, got ${describeValue(size)}`);
    if (size.some((n) => !isSize(n, 0)) || size.reduce((sum, n) => sum + n, 0) !== total) {
        throw new RangeError(
            `[split] sizes ${shapeText(size)} do not add up to the ${total} elements of axis ${axis} of ${shapeText(x.shape)}`,
        );
    }
    let end = 0;
    return size.map((n) => slice(x, at, end, (end += n)));
}

/** Cuts x along an axis into at most `count` views of equal size (the last may be smaller), as PyTorch's chunk. */
export function chunk(x: Tensor, count: number, axis = 0): Tensor[] {
    requireTensor('chunk', x);
    if (!Number.isInteger(count) || count < 1)
        throw new RangeError(`[chunk] the count must be a positive integer, got ${count}`);
    const at = normalizeAxis('chunk', axis, x.rank);
    const total = x.shape[at] ?? 0;
    // Nothing is cut into `count` empty pieces.
    if (total === 0 && x.rank > 0) return split(x, new Array<number>(count).fill(0), at);
    return split(x, Math.ceil(total / count), at);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        narrow(axis: number, start: number, length: number): Tensor;
        split(size: number | readonly number[], axis?: number): Tensor[];
        chunk(count: number, axis?: number): Tensor[];
    }
}

installMethods({ narrow, split, chunk });
