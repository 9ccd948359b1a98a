import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { DataFileError } from '../../lib/data/data_file_error.js';
import { decodeIdx, readIdxFile } from '../../lib/data/idx.js';
import { seededUniform } from '../support/seeded.js';

/** An IDX file: type byte, axes, big-endian payload. */
function idx(type: number, shape: number[], payload: Uint8Array): Buffer {
    const header = Buffer.alloc(4 + 4 * shape.length);
    header[2] = type;
    header[3] = shape.length;
    shape.forEach((size, axis) => header.writeUInt32BE(size, 4 + 4 * axis));
    return Buffer.concat([header, payload]);
}

function isDataFileError(pattern: RegExp, path: string): (error: unknown) => boolean {
    return (error) => {
        assert.ok(error instanceof DataFileError, String(error));
        assert.equal(error.path, path);
        assert.match(error.message, pattern);
        return true;
    };
}

describe('idx', () => {
    it('reads every element type, big-endian', () => {
        const payload = Buffer.alloc(16);
        payload.writeDoubleBE(-1.5, 0);
        payload.writeDoubleBE(1e300, 8);
        const cases: [number, number[], Uint8Array, unknown][] = [
            [0x08, [3], Uint8Array.of(0, 128, 255), Uint8Array.of(0, 128, 255)],
            [0x09, [3], Uint8Array.of(0, 128, 255), Int8Array.of(0, -128, -1)],
            [0x0b, [2], Uint8Array.of(0x01, 0x02, 0xff, 0xfe), Int16Array.of(0x102, -2)],
            [0x0c, [1], Uint8Array.of(0x80, 0, 0, 1), Int32Array.of(-2147483647)],
            [0x0d, [1, 1], Uint8Array.of(0x3f, 0xc0, 0, 0), Float32Array.of(1.5)],
            [0x0e, [2], payload, Float64Array.of(-1.5, 1e300)],
        ];
        for (const [type, shape, bytes, expected] of cases) {
            const array = decodeIdx(idx(type, shape, bytes), 'x');
            assert.deepEqual(array.data, expected);
            assert.deepEqual(array.shape, shape);
        }
    });

    it('reads zero sizes and many axes', () => {
        assert.deepEqual(decodeIdx(idx(8, [0, 28, 28], new Uint8Array()), 'x').shape, [0, 28, 28]);
        const axes = Array.from({ length: 255 }, () => 1);
        assert.equal(decodeIdx(idx(8, axes, Uint8Array.of(9)), 'x').shape.length, 255);
    });

    it('gives data of its own', () => {
        const bytes = idx(8, [2], Uint8Array.of(1, 2));
        const { data } = decodeIdx(bytes, 'x');
        bytes.fill(0);
        assert.deepEqual(data, Uint8Array.of(1, 2));
    });

    it('names the file and the damage', () => {
        const good = idx(8, [2, 2], Uint8Array.of(1, 2, 3, 4));
        const cases: [Uint8Array, RegExp][] = [
            [new Uint8Array(3), /^x: no IDX file: 3 bytes/],
            [Buffer.from('89504e470d0a', 'hex'), /starts with 0x89504e47/],
            [idx(0x0a, [1], Uint8Array.of(1)), /starts with 0x00000a01/],
            [idx(8, [], Uint8Array.of(1)), /starts with 0x00000800/],
            [good.subarray(0, 9), /cut short: 2 axes need a header of 12 bytes, the file has 9/],
            [
                good.subarray(0, 15),
                /cut short: uint8 \[2, 2\] needs 4 bytes behind the header, the file has 3/,
            ],
            [Buffer.concat([good, Uint8Array.of(5)]), /bytes left over/],
            [idx(8, [2 ** 32 - 1, 2 ** 32 - 1], Uint8Array.of(1)), /overflow/],
            [idx(0x0e, [2 ** 31, 2 ** 20], Uint8Array.of(1)), /overflow|cut short/],
            [idx(8, [65536, 65536], new Uint8Array()), /cut short: .* needs 4294967296 bytes/],
        ];
        for (const [bytes, pattern] of cases) {
            assert.throws(() => decodeIdx(bytes, 'x'), isDataFileError(pattern, 'x'));
        }
    });

    it('refuses a file cut at any byte', () => {
        const good = idx(8, [2, 2], Uint8Array.of(1, 2, 3, 4));
        for (let length = 0; length < good.length; length++) {
            assert.throws(() => decodeIdx(good.subarray(0, length), 'x'), DataFileError);
        }
    });

    it('gives a typed error or a consistent array for 20,000 damaged files', () => {
        const draw = seededUniform(20_261_122);
        const below = (limit: number): number => Math.floor(draw() * limit);
        const good = idx(
            0x0b,
            [2, 3],
            Uint8Array.from({ length: 12 }, (_, i) => i),
        );
        let accepted = 0;
        for (let round = 0; round < 20_000; round++) {
            let bytes = Buffer.from(good);
            for (let count = 1 + below(2); count > 0; count--) {
                const at = below(bytes.length);
                if (below(4) === 0)
                    bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + below(4))]);
                else if (bytes.length > at) bytes[at] = below(3) === 0 ? below(4) : below(256);
            }
            try {
                const { shape, data } = decodeIdx(bytes, 'x');
                const size = shape.reduce((product, axis) => product * axis, 1);
                assert.equal(size, data.length);
                assert.equal(4 + 4 * shape.length + data.byteLength, bytes.length);
                accepted++;
            } catch (error) {
                assert.ok(error instanceof DataFileError, `round ${round}: ${String(error)}`);
            }
        }
        assert.ok(accepted > 1000 && accepted < 19_000, String(accepted));
    });

    describe('files', () => {
        let folder: string;
        const good = idx(8, [2], Uint8Array.of(1, 2));
        beforeEach(() => {
            folder = mkdtempSync(join(tmpdir(), 'nativegrad-'));
        });
        afterEach(() => {
            rmSync(folder, { recursive: true, force: true });
        });

        function write(name: string, bytes: Uint8Array): string {
            const path = join(folder, name);
            writeFileSync(path, bytes);
            return path;
        }

        it('reads plain and gzip files, told by their bytes', async () => {
            const packed = gzipSync(good);
            const half = gzipSync(good.subarray(0, 5));
            const rest = gzipSync(good.subarray(5));
            for (const bytes of [good, packed, Buffer.concat([half, rest])]) {
                const { data } = await readIdxFile(write('labels.gz', bytes));
                assert.deepEqual(data, Uint8Array.of(1, 2));
            }
        });

        it('refuses damaged gzip', async () => {
            const packed = gzipSync(good);
            const flipped = Uint8Array.from(packed, (byte, i) => (i === packed.length - 5 ? byte ^ 1 : byte));
            const bad = [packed.subarray(0, 15), Buffer.concat([packed, Buffer.alloc(3)]), flipped];
            for (const bytes of bad) {
                const path = write('bad.gz', bytes);
                await assert.rejects(readIdxFile(path), isDataFileError(/damaged gzip/, path));
            }
        });

        it('stops at the size limit, packed or not', async () => {
            const bomb = write('bomb.gz', gzipSync(Buffer.alloc(5_000_000)));
            const options = { maxBytes: 1_000_000 };
            await assert.rejects(
                readIdxFile(bomb, options),
                isDataFileError(/unpacks to more than 1000000/, bomb),
            );
            const large = write('large', Buffer.alloc(1_000_001));
            await assert.rejects(readIdxFile(large, options), isDataFileError(/the limit is 1000000/, large));
        });

        it('refuses what is no regular file', async () => {
            const pipe = join(folder, 'pipe');
            execFileSync('mkfifo', [pipe]);
            await assert.rejects(readIdxFile(pipe), isDataFileError(/not a regular file/, pipe));
            await assert.rejects(readIdxFile(folder), isDataFileError(/not a regular file/, folder));
            const missing = join(folder, 'missing');
            await assert.rejects(readIdxFile(missing), isDataFileError(/no such file/, missing));
        });
    });
});
