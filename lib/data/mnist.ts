import { fromTypedArray } from '../ops/index.js';
import { TensorDataset } from './dataset.js';
import { readMnist, type DigitSet } from './mnist_files.js';
import type { MnistOptions } from './mnist_source.js';

/** Mean and standard deviation of MNIST's training pixels in [0, 1]. */
export const MNIST_MEAN = 0.1307;
export const MNIST_STD = 0.3081;

export interface MnistDatasets {
    readonly train: TensorDataset;
    readonly test: TensorDataset;
    readonly attribution: string;
    readonly folder: string;
}

/**
 * Digits as a data set: images uint8 [count, 1, 28, 28] that become float32 in batches, labels int32 [count]. Pixels, brought
 * to [0, 1], come out as (pixel - mean) / std, like those of torchvision's `Normalize`; by default they stay in [0, 1].
 *
 * @example
 * ```ts
 * import { data } from 'nativegrad';
 * const { digits } = await data.readMnistSplit('test');
 * const test = data.digitDataset(digits, { mean: data.MNIST_MEAN, std: data.MNIST_STD });
 * console.log(test.length, test.get(0)[0].shape); // 10000 [1, 28, 28]
 * ```
 */
export function digitDataset(
    digits: DigitSet,
    { mean = 0, std = 1 }: { readonly mean?: number; readonly std?: number } = {},
): TensorDataset {
    const images = fromTypedArray(digits.images, [digits.count, 1, 28, 28]);
    const labels = fromTypedArray(Int32Array.from(digits.labels), [digits.count]);
    return new TensorDataset(images, labels, { scale: 1 / 255 / std, shift: -mean / std });
}

/**
 * The MNIST digits as data sets: images uint8 [count, 1, 28, 28] that become float32 in batches, labels int32 [count].
 * `normalize` brings pixels to mean 0 and deviation 1 (default); without it they lie in [0, 1].
 */
export async function mnist(options: MnistOptions & { normalize?: boolean } = {}): Promise<MnistDatasets> {
    const files = await readMnist(options);
    const range = (options.normalize ?? true) ? { mean: MNIST_MEAN, std: MNIST_STD } : {};
    return {
        train: digitDataset(files.train, range),
        test: digitDataset(files.test, range),
        attribution: files.attribution,
        folder: files.folder,
    };
}
