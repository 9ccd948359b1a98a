import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { decodeSafetensors, encodeSafetensors, SafetensorsError } from '../../lib/io/safetensors.js';
import type { SafetensorsEntry, SafetensorsErrorCode } from '../../lib/io/safetensors.js';

const GOLDEN = new URL('../golden/safetensors/', import.meta.url);
const FOUR = Uint8Array.of(0, 1, 2, 3);

interface GoldenContent {
    metadata: Record<string, string>;
    tensors: Record<string, { dtype: SafetensorsEntry['dtype']; shape: number[]; data: string }>;
}

interface VerdictRow {
    name: string;
    reference: 'accept' | 'reject';
    bytes?: string;
    prefix?: string;
    repeat?: [number, number];
    suffix?: string;
}

function golden(name: string): Buffer {
    return readFileSync(new URL(name, GOLDEN));
}

function goldenContent(): GoldenContent {
    return JSON.parse(golden('every_dtype.json').toString()) as GoldenContent;
}

function verdictRows(): VerdictRow[] {
    return (JSON.parse(golden('verdicts.json').toString()) as { rows: VerdictRow[] }).rows;
}

function rowBytes(row: VerdictRow): Uint8Array {
    if (row.bytes !== undefined) return Buffer.from(row.bytes, 'base64');
    const [byte, count] = row.repeat ?? [0, 0];
    const parts = [
        Buffer.from(row.prefix ?? '', 'base64'),
        Buffer.alloc(count, byte),
        Buffer.from(row.suffix ?? '', 'base64'),
    ];
    return Buffer.concat(parts);
}

/** A file of exactly this header text, however wrong. */
function rawFile(header: string, data: Uint8Array = new Uint8Array()): Uint8Array {
    const text = Buffer.from(header);
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(text.length));
    return Buffer.concat([prefix, text, data]);
}

function assertRejects(bytes: Uint8Array, code: SafetensorsErrorCode, pattern: RegExp): void {
    assert.throws(
        () => decodeSafetensors(bytes),
        (error: unknown) => {
            assert.ok(error instanceof SafetensorsError, String(error));
            assert.equal(error.code, code, error.message);
            assert.match(error.message, pattern);
            return true;
        },
    );
}

function entry(name: string, fields = ''): string {
    return `"${name}":{"dtype":"U8","shape":[4],"data_offsets":[0,4]${fields}}`;
}

describe('safetensors', () => {
    it('reads every dtype as the reference writer wrote it', () => {
        const { metadata, tensors } = goldenContent();
        const content = decodeSafetensors(golden('every_dtype.safetensors'));
        assert.deepEqual(Object.fromEntries(content.metadata), metadata);
        assert.equal(content.entries.length, Object.keys(tensors).length);
        for (const { name, dtype, shape, data } of content.entries) {
            const expected = tensors[name];
            assert.ok(expected, name);
            assert.deepEqual({ dtype, shape }, { dtype: expected.dtype, shape: expected.shape });
            assert.equal(Buffer.from(data).toString('base64'), expected.data, name);
        }
    });

    it('writes the same bytes as the reference writer, from any order', () => {
        const { metadata, tensors } = goldenContent();
        const entries = Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
            return { name, dtype, shape, data: new Uint8Array(Buffer.from(data, 'base64')) };
        });
        const expected = golden('every_dtype.safetensors');
        assert.deepEqual(Buffer.from(encodeSafetensors(entries, metadata)), expected);
        assert.deepEqual(Buffer.from(encodeSafetensors(entries.reverse(), metadata)), expected);
        const first = entries
            .filter(({ name }) => name === 'a.float32')
            .map((item) => ({ ...item, name: 'w' }));
        assert.deepEqual(Buffer.from(encodeSafetensors(first)), golden('no_metadata.safetensors'));
        assert.deepEqual(Buffer.from(encodeSafetensors([])), golden('empty.safetensors'));
    });

    it('starts the data at a multiple of 8 bytes', () => {
        for (let length = 1; length <= 16; length++) {
            const bytes = encodeSafetensors([
                { name: 'n'.repeat(length), dtype: 'uint8', shape: [4], data: FOUR },
            ]);
            assert.equal((bytes.length - 4) % 8, 0);
            assert.equal(decodeSafetensors(bytes).entries[0]?.name.length, length);
        }
    });

    it('keeps names that are special to JavaScript', () => {
        for (const name of ['__proto__', 'constructor', 'toString', '']) {
            const content = decodeSafetensors(
                encodeSafetensors([{ name, dtype: 'uint8', shape: [4], data: FOUR }]),
            );
            assert.deepEqual(content.entries[0], { name, dtype: 'uint8', shape: [4], data: FOUR });
        }
    });

    for (const row of verdictRows()) {
        const accept = row.reference === 'accept' && !row.name.startsWith('strict:');
        it(`${accept ? 'accepts' : 'rejects'} "${row.name}" (the reference reader: ${row.reference})`, () => {
            if (accept) decodeSafetensors(rowBytes(row));
            else assert.throws(() => decodeSafetensors(rowBytes(row)), SafetensorsError);
        });
    }

    it('names the rule and the place', () => {
        assertRejects(new Uint8Array(7), 'header-too-small', /at least 8 bytes, this one 7/);
        assertRejects(Buffer.from('ffffffffffffff7f7b7d', 'hex'), 'header-too-large', /limit is 100000000/);
        assertRejects(rawFile('{}').subarray(0, 9), 'header-out-of-file', /2 bytes announced, but only 1/);
        assertRejects(Buffer.from('03000000000000007bff7d', 'hex'), 'header-not-utf8', /UTF-8/);
        assertRejects(rawFile(` {${entry('w')}}`, FOUR), 'header-start', /must start with/);
        assertRejects(
            rawFile(`{${entry('w')}`, FOUR),
            'header-json',
            /expected "}" at character 52 of the header, got the end/,
        );
        assertRejects(rawFile(`{${entry('w')},${entry('w')}}`, FOUR), 'duplicate-key', /"w" appears twice/);
        assertRejects(rawFile('{"__metadata__":{"a":4}}'), 'metadata', /"a" must be a string/);
        assertRejects(
            rawFile(`{${entry('w', ',"x":1')}}`, FOUR),
            'unknown-field',
            /tensor "w": unknown field "x"/,
        );
        const ones = Array.from({ length: 65 }, () => 1).join();
        const deep = entry('w').replace(/"shape":\[[^\]]*\]/, `"shape":[${ones}]`);
        assertRejects(rawFile(`{${deep}}`, FOUR), 'rank', /more than 64 integers/);
        // The reference reader takes it where another size is 0.
        const vast = entry('w')
            .replace(/"shape":\[[^\]]*\]/, '"shape":[9007199254740993,0]')
            .replace(/"data_offsets":\[[^\]]*\]/, '"data_offsets":[0,0]');
        assertRejects(rawFile(`{${vast}}`), 'integer-range', /the integer 9007199254740993 at character/);
        const three = entry('w').replace(/"data_offsets":\[[^\]]*\]/, '"data_offsets":[0,4,4]');
        assertRejects(rawFile(`{${three}}`, FOUR), 'field', /more than 2 integers/);
        assertRejects(
            rawFile(`{${entry('w').replace('U8', 'F8')}}`, FOUR),
            'dtype',
            /"F8" is not supported; supported: BOOL/,
        );
        assertRejects(
            rawFile(`{${entry('w').replace('[4]', '[4294967296,4294967296]')}}`, FOUR),
            'shape',
            /overflows/,
        );
        assertRejects(
            rawFile(`{${entry('w').replace('[0,4]', '[0,5]')}}`, FOUR),
            'offsets',
            /\[0, 5\] do not lie in the 4/,
        );
        assertRejects(
            rawFile(`{${entry('w').replace('[4]', '[3]')}}`, FOUR),
            'size-mismatch',
            /needs 3 bytes, data_offsets give 4/,
        );
        assertRejects(rawFile(`{${entry('a')},${entry('b')}}`, FOUR), 'layout', /tensor "b": overlaps/);
        assertRejects(rawFile(`{${entry('w')}}`, Uint8Array.of(1, 2, 3, 4, 5)), 'data-length', /1 left over/);
        assertRejects(
            rawFile(`{${entry('w').replace('U8', 'BOOL')}}`, FOUR),
            'bool-value',
            /element 2 is stored as 2/,
        );
    });

    it('keeps messages short for long hostile names', () => {
        const bytes = rawFile(`{"${'x'.repeat(1_000_000)}":4}`);
        assert.throws(
            () => decodeSafetensors(bytes),
            (error: unknown) => error instanceof SafetensorsError && error.message.length < 400,
        );
    });

    it('reads a header of 100,000 tensors in reasonable time', () => {
        const names = Array.from({ length: 100_000 }, (_, i) => `layer.${i}`);
        const bytes = encodeSafetensors(
            names.map((name) => ({ name, dtype: 'uint8' as const, shape: [1], data: Uint8Array.of(1) })),
        );
        const start = performance.now();
        assert.equal(decodeSafetensors(bytes).entries.length, 100_000);
        assert.ok(performance.now() - start < 10_000);
    });

    it('refuses to write what it would not read', () => {
        const good: SafetensorsEntry = { name: 'w', dtype: 'uint8', shape: [4], data: FOUR };
        const bad: [SafetensorsEntry[], RegExp][] = [
            [[good, good], /"w": is given twice/],
            [[{ ...good, name: '__metadata__' }], /reserved/],
            [[{ ...good, name: '\ud83d' }], /no valid Unicode/],
            [[{ ...good, shape: [5] }], /needs 5 bytes, got 4/],
            [[{ ...good, shape: [-4] }], /not a list of sizes/],
            [[{ ...good, shape: [2.5] }], /not a list of sizes/],
            [[{ ...good, shape: [2 ** 32, 2 ** 32] }], /not a list of sizes/],
            [[{ ...good, dtype: 'bool' }], /element 2 is stored as 2/],
        ];
        for (const [entries, pattern] of bad) {
            assert.throws(
                () => encodeSafetensors(entries),
                (error: unknown) => {
                    assert.ok(error instanceof SafetensorsError);
                    assert.match(error.message, pattern);
                    return true;
                },
            );
        }
        assert.throws(() => encodeSafetensors([], { a: '\udc00' }), /no valid Unicode/);
    });
});
