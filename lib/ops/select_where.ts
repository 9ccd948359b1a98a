import { requireValues } from '../native/call.js';
import type { DType } from '../tensor/dtype.js';
import { broadcastShapes, shapeText, sizeOf } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { requireTensor } from './convert.js';
import { ones, zeros } from './create.js';
import { indexSelect, requireIndex } from './gather.js';
import { copyKernel, fullReduceKernel, runNew } from './kernels.js';
import { installMethods } from './methods.js';
import { expand, reshape } from './shape_ops.js';

/**
 * The places of the elements other than 0 (NaN counts), one per row, in row-major order; int32. Waits for the device, since
 * the shape depends on the values.
 *
 * Shapes: x [D_1, .., D_r] -> [n, r].
 */
export function nonzero(x: Tensor): Tensor {
    requireTensor('nonzero', x);
    requireValues('nonzero');
    const dense = x.isContiguous ? x : copyKernel(x);
    const count = fullReduceKernel('count_nonzero', dense, 'int64');
    return runNew('nonzero', [dense], [count.item(), x.rank], 'int32');
}

/**
 * The elements of x where a bool mask is true, in row-major order; x and mask broadcast. Waits for the device, since the
 * shape depends on the values.
 *
 * Shapes: x [...], mask [...] -> [n].
 */
export function maskedSelect(x: Tensor, mask: Tensor): Tensor {
    requireTensor('maskedSelect', x);
    requireTensor('maskedSelect', mask, 'the mask');
    if (mask.dtype !== 'bool')
        throw new TypeError(
            `[maskedSelect] the mask must be bool, got ${mask.dtype}; compare first, as in x.gt(0)`,
        );
    requireValues('maskedSelect');
    const shape = broadcastShapes('maskedSelect', x.shape, mask.shape);
    const size = sizeOf(shape);
    const places = nonzero(reshape(expand(mask, shape), [size]));
    return indexSelect(reshape(expand(x, shape), [size]), 0, reshape(places, [places.size]));
}

/**
 * 1 at the place that each index names along a new last axis, 0 elsewhere.
 *
 * Shapes: index [...] -> [..., classes]. Without `classes`, there is one more than the largest index.
 *
 * @throws Error that names the place of an index outside [0, classes).
 * @example
 * import { oneHot, tensor } from 'nativegrad';
 * console.log(oneHot(tensor([2, 0], { dtype: 'int32' }), 3).toArray()); // [[0, 0, 1], [1, 0, 0]]
 */
export function oneHot(index: Tensor, classes?: number, dtype: DType = 'int64'): Tensor {
    requireIndex('one_hot', index);
    if (classes === undefined && index.size === 0)
        throw new RangeError(
            `[one_hot] the number of classes is needed for an empty index ${shapeText(index.shape)}`,
        );
    if (classes === undefined) requireValues('one_hot without the number of classes');
    const count = classes ?? fullReduceKernel('max', index, index.dtype).item() + 1;
    if (!Number.isInteger(count) || count < 1)
        throw new RangeError(`[one_hot] the number of classes must be a positive integer, got ${count}`);
    const shape = [...index.shape, count];
    const places = reshape(index, [...index.shape, 1]);
    const one = expand(ones([], { dtype, device: index.device }), places.shape);
    return runNew(
        'scatter_add',
        [zeros(shape, { dtype, device: index.device }), places, one],
        shape,
        dtype,
        [index.rank, 0],
        'one_hot',
    );
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        nonzero(): Tensor;
        maskedSelect(mask: Tensor): Tensor;
        oneHot(classes?: number, dtype?: DType): Tensor;
    }
}

installMethods({ nonzero, maskedSelect, oneHot });
