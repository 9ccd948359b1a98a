import { TensorDataset } from '../data/dataset.js';
import type { DigitSet } from '../data/mnist_files.js';
import { fromTypedArray } from '../ops/create.js';
import type { ClassifierSpec } from './classifier_spec.js';

/**
 * Digits as a classifier of this spec takes them: images uint8 [N, 1, 28, 28] that batches turn into float32 with the
 * spec's mean and deviation, labels int32 [N].
 *
 * @throws {RangeError} where the spec is for images of another shape or for other classes.
 */
export function classifierDataset(set: DigitSet, spec: ClassifierSpec): TensorDataset {
    const [channels, height, width] = spec.inputShape;
    if (channels * height * width * set.count !== set.images.length || spec.classes !== 10) {
        const wanted = `images of ${spec.inputShape.join(' x ')} in ${spec.classes} classes`;
        throw new RangeError(`the classifier takes ${wanted}, the data are digits of 1 x 28 x 28 in 10`);
    }
    const images = fromTypedArray(set.images, [set.count, channels, height, width]);
    const labels = fromTypedArray(Int32Array.from(set.labels), [set.count]);
    return new TensorDataset(images, labels, { scale: 1 / 255 / spec.std, shift: -spec.mean / spec.std });
}
