import { shapeText } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { installMethods } from './methods.js';
import { pairOf, type Pair } from './pair.js';
import { pooledSize, requireImages, windowGeometry, type PoolOptions } from './pool.js';
import { resample, tapsOf, type Taps } from './resample.js';

export interface AvgPoolOptions extends PoolOptions {
    /** Whether pixels of the padding count in the mean, as zeros; default true. */
    readonly countIncludePad?: boolean;
}

/** Equal weights for the pixels start to end - 1 of the image. */
function meanOf(start: number, end: number, divisor: number): Taps[number] {
    return Array.from({ length: Math.max(end - start, 0) }, (_, k) => ({
        position: start + k,
        weight: 1 / divisor,
    }));
}

/**
 * Mean of each window: y[n, c, i, j] = mean over r, s of x[n, c, i stride + r - padding, j stride + s - padding].
 *
 * x [N, C, H, W] -> [N, C, H', W'], H' = floor((H + 2 padding - k) / stride) + 1 (ceil with `ceilMode`). Float dtypes.
 *
 * @throws RangeError when a window does not fit into the image or the padding exceeds half the kernel.
 * @example
 * import { avgPool2d, tensor } from 'nativegrad';
 * console.log(avgPool2d(tensor([[[[1, 2], [3, 4]]]]), 2).item()); // 2.5
 */
export function avgPool2d(x: Tensor, kernelSize: Pair, options: AvgPoolOptions = {}): Tensor {
    requireImages('avg_pool2d', x);
    const windows = windowGeometry('avg_pool2d', kernelSize, options);
    const size = pooledSize('avg_pool2d', x, windows, options.ceilMode ?? false);
    const countPadding = options.countIncludePad ?? true;
    const [rows, columns] = size.map((count, axis): Taps => {
        const [length, padding] = [x.shape[2 + axis] ?? 0, windows.padding[axis] ?? 0];
        const [stride, kernel] = [windows.stride[axis] ?? 1, windows.kernel[axis] ?? 1];
        const key = ['mean', count, length, padding, stride, kernel, countPadding].join();
        return tapsOf(key, () =>
            Array.from({ length: count }, (_, i) => {
                const start = i * stride - padding;
                const end = Math.min(start + kernel, length + padding);
                const [first, last] = [Math.max(start, 0), Math.min(end, length)];
                return meanOf(first, last, countPadding ? end - start : last - first);
            }),
        );
    });
    return resample(x, rows ?? [], columns ?? []);
}

/**
 * Mean over windows that cut the image into a given number of parts: window i reaches from floor(i H / H') to
 * ceil((i + 1) H / H').
 *
 * x [N, C, H, W] -> [N, C, H', W']. Float dtypes.
 *
 * @throws RangeError for an output size that is not positive, or an empty image.
 * @example
 * import { adaptiveAvgPool2d, ones } from 'nativegrad';
 * console.log(adaptiveAvgPool2d(ones([8, 64, 7, 7]), 1).shape); // [8, 64, 1, 1]
 */
export function adaptiveAvgPool2d(x: Tensor, outputSize: Pair): Tensor {
    requireImages('adaptive_avg_pool2d', x);
    const size = pairOf('adaptive_avg_pool2d', 'outputSize', outputSize, 1);
    const [rows, columns] = size.map((count, axis): Taps => {
        const length = x.shape[2 + axis] ?? 0;
        if (length === 0)
            throw new RangeError(`[adaptive_avg_pool2d] the image is empty: input ${shapeText(x.shape)}`);
        return tapsOf(['adaptive', count, length].join(), () =>
            Array.from({ length: count }, (_, i) => {
                const first = Math.floor((i * length) / count);
                const end = Math.ceil(((i + 1) * length) / count);
                return meanOf(first, end, end - first);
            }),
        );
    });
    return resample(x, rows ?? [], columns ?? []);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        avgPool2d(kernelSize: Pair, options?: AvgPoolOptions): Tensor;
        adaptiveAvgPool2d(outputSize: Pair): Tensor;
    }
}

installMethods({ avgPool2d, adaptiveAvgPool2d });
