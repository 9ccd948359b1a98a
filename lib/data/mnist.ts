import { fromTypedArray } from '../ops/index.js';
import { TensorDataset } from './dataset.js';
import { readMnist, type DigitSet, type MnistOptions } from './mnist_files.js';

/** Mean and standard deviation of MNIST's training pixels in [0, 1]. */
export const MNIST_MEAN = 0.1307;
export const MNIST_STD = 0.3081;

export interface MnistDatasets {
    readonly train: TensorDataset;
    readonly test: TensorDataset;
    readonly attribution: string;
    readonly folder: string;
}

function toDataset(set: DigitSet, normalize: boolean): TensorDataset {
    const scale = 1 / 255 / (normalize ? MNIST_STD : 1);
    const shift = normalize ? -MNIST_MEAN / MNIST_STD : 0;
    const images = fromTypedArray(set.images, [set.count, 1, 28, 28]);
    return new TensorDataset(images, fromTypedArray(Int32Array.from(set.labels), [set.count]), {
        scale,
        shift,
    });
}

/**
 * The MNIST digits as data sets: images uint8 [count, 1, 28, 28] that become float32 in batches, labels int32 [count].
 * `normalize` brings pixels to mean 0 and deviation 1 (default); without it they lie in [0, 1].
 */
export async function mnist(options: MnistOptions & { normalize?: boolean } = {}): Promise<MnistDatasets> {
    const files = await readMnist(options);
    const normalize = options.normalize ?? true;
    return {
        train: toDataset(files.train, normalize),
        test: toDataset(files.test, normalize),
        attribution: files.attribution,
        folder: files.folder,
    };
}
