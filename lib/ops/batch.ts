import { isFloat, type DType } from '../tensor/dtype.js';
import { shapeText } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { requireTensor } from './convert.js';
import { runNew } from './kernels.js';

export interface BatchGatherOptions {
    /** Default float32. */
    dtype?: DType;
    /** out = x[index] * scale + shift */
    scale?: number;
    shift?: number;
}

/**
 * Samples `index` of a data set as one batch, converted and scaled on the way: out[i] = x[index[i]] * scale + shift.
 * Not recorded on the tape.
 *
 * Shapes: x [S, ...] contiguous, index [n] integers in [0, S) -> [n, ...].
 *
 * @example
 * import { batchGather, tensor } from 'nativegrad';
 * const bytes = tensor([[0, 255], [255, 0]], { dtype: 'uint8' });
 * console.log(batchGather(bytes, tensor([1], { dtype: 'int32' }), { scale: 1 / 255 }).toArray()); // [[1, 0]]
 */
export function batchGather(x: Tensor, index: Tensor, options: BatchGatherOptions = {}): Tensor {
    requireTensor('batch_gather', x, 'the samples');
    requireTensor('batch_gather', index, 'the index');
    if (x.rank < 1 || index.rank !== 1 || isFloat(index.dtype) || !x.isContiguous) {
        throw new RangeError(
            `[batch_gather] needs contiguous samples [S, ...] and an integer index [n], ` +
                `got ${shapeText(x.shape)} and ${index.dtype} ${shapeText(index.shape)}`,
        );
    }
    const { dtype = 'float32', scale = 1, shift = 0 } = options;
    return runNew('batch_gather', [x, index], [index.shape[0] ?? 0, ...x.shape.slice(1)], dtype, [
        scale,
        shift,
    ]);
}

/**
 * Moves each image by its own affine map, bilinear, zero outside. A map [2, 3] takes an output position (x, y) relative to
 * the image's middle, in pixels, to the input position. Not recorded on the tape.
 *
 * Shapes: images [N, C, H, W], maps [N, 2, 3] -> [N, C, H, W].
 */
export function affineSample(images: Tensor, maps: Tensor): Tensor {
    requireTensor('affine_sample', images, 'the images');
    requireTensor('affine_sample', maps, 'the maps');
    if (images.rank !== 4 || maps.rank !== 3 || maps.shape[0] !== images.shape[0]) {
        throw new RangeError(
            `[affine_sample] needs images [N, C, H, W] and maps [N, 2, 3], ` +
                `got ${shapeText(images.shape)} and ${shapeText(maps.shape)}`,
        );
    }
    return runNew('affine_sample', [images, maps], images.shape, images.dtype);
}
