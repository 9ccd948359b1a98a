import { defineOp } from '../autograd/define_op.js';
import { run } from '../native/call.js';
import { normalizeAxis, shapeText } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { requireTensor } from './convert.js';
import { zeros } from './create.js';
import { scatterAdd } from './gather.js';
import { installMethods } from './methods.js';
import { reshape } from './shape_ops.js';

interface SortOptions {
    readonly axis: number;
    readonly descending: boolean;
    /** How many of each row are kept. */
    readonly count: number;
    readonly label: string;
}

const sortOp = defineOp<readonly [Tensor], SortOptions, readonly Tensor[]>({
    name: 'sort',
    forward: (context, [x], { axis, descending, count, label }) => {
        const shape = x.shape.map((size, i) => (i === axis ? count : size));
        const [values, indices] = [new Tensor(shape, x.dtype), new Tensor(shape, 'int32')];
        run('sort', [x], [values, indices], [axis, Number(descending)], label);
        context.save(indices);
        return [values, indices];
    },
    backward: ([dy], { saved: [indices], options: { axis }, shapes: [shape = []] }) => [
        dy && scatterAdd(zeros(shape, { dtype: dy.dtype, device: dy.device }), axis, indices, dy),
    ],
    differentiable: true,
});

function sorted(x: Tensor, options: SortOptions): [values: Tensor, indices: Tensor] {
    const [values, indices] = sortOp([x.rank === 0 ? reshape(x, [1]) : x], options) as [Tensor, Tensor];
    return x.rank === 0 ? [reshape(values, []), reshape(indices, [])] : [values, indices];
}

/**
 * The elements along an axis in ascending or descending order, and where each one stood (int32). Equal elements keep their
 * order; NaN counts as the largest.
 *
 * Shapes: x [.., D, ..] -> two times [.., D, ..].
 *
 * @example
 * import { tensor } from 'nativegrad';
 * const [values, indices] = tensor([3, 1, 2]).sort();
 * console.log(values.toArray(), indices.toArray()); // [1, 2, 3] [1, 2, 0]
 */
export function sort(x: Tensor, axis = -1, descending = false): [values: Tensor, indices: Tensor] {
    requireTensor('sort', x);
    const at = normalizeAxis('sort', axis, x.rank);
    return sorted(x, { axis: at, descending, count: x.shape[at] ?? 1, label: 'sort' });
}

/** Where the elements along an axis stand once they are sorted: the indices of `sort`. */
export function argsort(x: Tensor, axis = -1, descending = false): Tensor {
    requireTensor('argsort', x);
    return sort(x.detach(), axis, descending)[1];
}

/**
 * The k largest (or smallest) elements along an axis, in order, and where they stand (int32). Of equal ones the first
 * come first; NaN counts as the largest.
 *
 * Shapes: x [.., D, ..] -> two times [.., k, ..].
 *
 * @throws RangeError when k is no integer in [0, D].
 */
export function topk(x: Tensor, k: number, axis = -1, largest = true): [values: Tensor, indices: Tensor] {
    requireTensor('topk', x);
    const at = normalizeAxis('topk', axis, x.rank);
    const size = x.shape[at] ?? 1;
    if (!Number.isInteger(k) || k < 0 || k > size) {
        throw new RangeError(
            `[topk] k ${k} is outside [0, ${size}] for axis ${axis} of shape ${shapeText(x.shape)}`,
        );
    }
    if (x.rank === 0 && k === 0) throw new RangeError('[topk] a 0-d tensor has one element; k must be 1');
    return sorted(x, { axis: at, descending: largest, count: k, label: 'topk' });
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        sort(axis?: number, descending?: boolean): [values: Tensor, indices: Tensor];
        argsort(axis?: number, descending?: boolean): Tensor;
        topk(k: number, axis?: number, largest?: boolean): [values: Tensor, indices: Tensor];
    }
}

installMethods({ sort, argsort, topk });
