import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { decodeSafetensors, encodeSafetensors, SafetensorsError } from '../../lib/io/safetensors.js';

const ROUNDS = 20_000;
const SEED = 20_261_122;
const TOKENS = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    '\\u0000',
    '-1',
    '0',
    '9007199254740993',
    '1e3',
    '"F32"',
    '"shape"',
    ' ',
];
const EDGES = [0, 1, 2, 7, 8, 9, 127, 128, 255];

/** xorshift32: a failing round is found again from its number and the seed. */
function generator(seed: number): (limit: number) => number {
    let state = seed | 1;
    return (limit) => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        return (state >>> 0) % limit;
    };
}

function mutate(source: Uint8Array, random: (limit: number) => number): Uint8Array {
    let bytes: Buffer = Buffer.from(source);
    for (let count = 1 + random(3); count > 0; count--) {
        const at = random(Math.max(bytes.length, 1));
        const kind = random(8);
        if (kind === 0 && bytes.length > 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
        else if (kind === 1 && bytes.length > 0) bytes[at] = EDGES[random(EDGES.length)] ?? 0;
        else if (kind === 2) bytes = bytes.subarray(0, at);
        else if (kind === 3)
            bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(16))]);
        else if (kind === 4) bytes = insert(bytes, at, bytes.subarray(at, at + random(64)));
        else if (kind <= 6) bytes = insert(bytes, at, Buffer.from(TOKENS[random(TOKENS.length)] ?? ''));
        else bytes = changeNumber(bytes, random);
    }
    // Mostly keep the announced header length right, or nothing behind it would ever be reached.
    if (random(3) > 0 && bytes.length >= 8) fixLength(bytes);
    return bytes;
}

function insert(bytes: Buffer, at: number, extra: Uint8Array): Buffer {
    return Buffer.concat([bytes.subarray(0, at), extra, bytes.subarray(at)]);
}

/** Replaces one run of digits in the header, which is where sizes and offsets stand. */
function changeNumber(bytes: Buffer, random: (limit: number) => number): Buffer {
    const text = bytes.toString('latin1');
    const runs = [...text.matchAll(/\d+/g)];
    const run = runs[random(Math.max(runs.length, 1))];
    if (run === undefined) return bytes;
    const value = String(Number(run[0]) + random(9) - 4);
    return Buffer.from(text.slice(0, run.index) + value + text.slice(run.index + run[0].length), 'latin1');
}

function fixLength(bytes: Buffer): void {
    const end = bytes.lastIndexOf('}');
    if (end >= 8) bytes.writeBigUInt64LE(BigInt(end + 1 - 8));
}

/** What must hold for any accepted file, computed without the reader's own helpers. */
function checkAccepted(bytes: Uint8Array): void {
    const { entries, metadata } = decodeSafetensors(bytes);
    const headerLength = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
    const header = JSON.parse(Buffer.from(bytes.subarray(8, 8 + headerLength)).toString()) as Record<
        string,
        unknown
    >;
    const names = new Set(entries.map(({ name }) => name));
    assert.equal(names.size, entries.length);
    assert.deepEqual(new Set(Object.keys(header).filter((key) => key !== '__metadata__')), names);
    const itemSize = {
        bool: 1,
        uint8: 1,
        float16: 2,
        bfloat16: 2,
        int32: 4,
        float32: 4,
        float64: 8,
        int64: 8,
    };
    let position = bytes.byteOffset + 8 + headerLength;
    for (const { dtype, shape, data } of entries) {
        assert.equal(
            shape.reduce((product, size) => product * size, itemSize[dtype]),
            data.length,
        );
        assert.equal(data.byteOffset, position);
        position += data.length;
    }
    assert.equal(position, bytes.byteOffset + bytes.length);
    const again = decodeSafetensors(encodeSafetensors(entries, Object.fromEntries(metadata)));
    assert.deepEqual(
        new Map(again.entries.map((item) => [item.name, item])),
        new Map(entries.map((item) => [item.name, item])),
    );
}

describe('safetensors against damaged files', () => {
    const base = new Uint8Array(
        readFileSync(new URL('../golden/safetensors/every_dtype.safetensors', import.meta.url)),
    );

    it(`${ROUNDS} mutated files: a typed error or a consistent result`, () => {
        const random = generator(SEED);
        let accepted = 0;
        for (let round = 0; round < ROUNDS; round++) {
            const bytes = new Uint8Array(mutate(base, random));
            try {
                checkAccepted(bytes);
                accepted++;
            } catch (error) {
                if (error instanceof SafetensorsError) continue;
                assert.fail(
                    `round ${round} of seed ${SEED}, ${Buffer.from(bytes).toString('base64')}: ${String(error)}`,
                );
            }
        }
        // Both outcomes must occur, or the mutations test nothing.
        assert.ok(accepted > ROUNDS / 200 && accepted < ROUNDS / 2, `accepted ${accepted}`);
    });

    it('a file cut at any byte is an error', () => {
        for (let length = 0; length < base.length; length++) {
            assert.throws(
                () => decodeSafetensors(base.subarray(0, length)),
                SafetensorsError,
                `cut at ${length}`,
            );
        }
    });

    it('every single byte changed: a typed error or a consistent result', () => {
        for (let at = 0; at < base.length; at++) {
            for (const mask of [0x01, 0x80, 0xff]) {
                const bytes = base.slice();
                bytes[at] = (bytes[at] ?? 0) ^ mask;
                try {
                    checkAccepted(bytes);
                } catch (error) {
                    assert.ok(error instanceof SafetensorsError, `byte ${at} mask ${mask}: ${String(error)}`);
                }
            }
        }
    });
});
