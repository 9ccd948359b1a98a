import { zipSync } from 'fflate';
import { manifestText, sha256 } from '../../../lib/io/checkpoint/manifest.js';
import { encodeNpy } from '../../../lib/io/npy.js';
import { encodeOnnx } from '../../../lib/io/onnx/encode_onnx.js';
import type { OnnxModel } from '../../../lib/io/onnx/onnx_model.js';
import { loadWire } from '../../../lib/io/onnx/wire.js';
import { encodeSafetensors, type StoredDType } from '../../../lib/io/safetensors.js';
import { byteLengthOf, STORED_DTYPES } from '../../../lib/io/safetensors_dtype.js';

export const parserNames = ['safetensors', 'idx', 'npy', 'npz', 'onnx', 'manifest'] as const;
export type ParserName = (typeof parserNames)[number];
type Random = (limit: number) => number;

export const wire = await loadWire();
const dtypes = Object.keys(STORED_DTYPES) as StoredDType[];
const numpyDtypes = dtypes.filter((dtype) => dtype !== 'bfloat16');
const tokens = [
    ...[
        '{',
        '}',
        '[',
        ']',
        '(',
        ')',
        ',',
        ':',
        '"',
        "'",
        '\\',
        '\\u0000',
        '\\ud800',
        '\xff',
        ' ',
        '\n',
        '-1',
        '0',
        '00',
    ],
    ...[
        '9007199254740993',
        '18446744073709551616',
        '4294967295',
        '1e3',
        '1.0',
        'null',
        'true',
        'False',
        'True',
        '()',
    ],
    ...[
        '"F32"',
        '"I8"',
        '"F8_E4M3"',
        '"shape":[1]',
        '"__metadata__":{"a":"b"}',
        "'|O'",
        "'>f8'",
        "'<U1'",
        'PK\x01\x02',
        'PK\x05\x06',
    ],
    // Of Protocol Buffers: a graph and a tensor longer than any file, a group in a group, numbers without end.
    ...[
        '\x3a\xff\xff\xff\xff\x07',
        '\x2a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01',
        '\x0b\x0b\x0c',
        '\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
        '\x72\x04\x0a\x02\xff\xfe',
        '\x3a\x00',
    ],
];
const edges = [0, 1, 2, 7, 8, 9, 0x0d, 0x7f, 0x80, 0xff];

/** Numbers of one case: xorshift32 from seed and case, so that a case is found again alone. */
export function caseRandom(seed: number, index: number): Random {
    let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35)) | 1;
    const next = (): number => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        return state >>> 0;
    };
    for (let i = 0; i < 4; i++) next();
    return (limit) => next() % limit;
}

/** A sound file of random content; `isSound` is false once it was changed. */
export function makeInput(name: ParserName, random: Random): { bytes: Buffer; isSound: boolean } {
    let bytes: Buffer = soundFile(name, random);
    const changes = random(5);
    for (let i = 0; i < changes; i++) bytes = change(bytes, random);
    if (changes > 0 && random(3) > 0) mend(name, bytes);
    return { bytes, isSound: changes === 0 };
}

function soundFile(name: ParserName, random: Random): Buffer {
    if (name === 'idx') {
        const kinds = [
            [8, 1],
            [9, 1],
            [0x0b, 2],
            [0x0c, 4],
            [0x0d, 4],
            [0x0e, 8],
        ] as const;
        const [code, size] = kinds[random(kinds.length)] ?? [8, 1];
        const shape = [1 + random(3), ...sizes(random)];
        const head = Buffer.alloc(4 + 4 * shape.length);
        head.set([0, 0, code, shape.length]);
        shape.forEach((length, axis) => head.writeUInt32BE(length, 4 + 4 * axis));
        return Buffer.concat([
            head,
            noise(
                shape.reduce((a, b) => a * b, size),
                random,
            ),
        ]);
    }
    if (name === 'npy') return npyFile(random);
    if (name === 'onnx') return onnxFile(random);
    if (name === 'manifest') return manifestFile(random);
    if (name === 'npz') {
        const names = Array.from(
            { length: random(3) },
            (_, i) => [`${i}.weight.npy`, npyFile(random)] as const,
        );
        return Buffer.from(
            zipSync(Object.fromEntries(names), {
                level: random(2) === 0 ? 0 : 6,
                mtime: new Date(1980, 0, 1),
            }),
        );
    }
    const entries = Array.from({ length: random(4) }, (_, i) => ({
        name: `${i}.w${random(3)}`,
        ...array(dtypes, random),
    }));
    return Buffer.from(encodeSafetensors(entries, random(2) === 0 ? {} : { format: 'pt' }));
}

function npyFile(random: Random): Buffer {
    return Buffer.concat(encodeNpy(array(numpyDtypes, random), 'input'));
}

function onnxFile(random: Random): Buffer {
    const list = <T>(make: (i: number) => T): T[] => Array.from({ length: random(4) }, (_, i) => make(i));
    const values = list((i) => ({
        name: `v${i}`,
        dtype: 'float32' as const,
        shape: ['batch', ...sizes(random)],
    }));
    const model: OnnxModel = {
        ...{ opset: 17, producer: 'nativegrad', graphName: 'g', values, inputs: values, outputs: values },
        nodes: list((i) => ({
            name: `/${i}/Gemm`,
            operator: 'Gemm',
            inputs: ['v0', `${i}.w`],
            outputs: [`v${i + 1}`],
            attributes: {
                alpha: { float: random(9) },
                axes: { ints: sizes(random) },
                value: { tensor: { name: '', ...array(dtypes, random) } },
            },
        })),
        initializers: list((i) => ({ name: `${i}.w`, ...array(dtypes, random) })),
        metadata: random(2) === 0 ? {} : { 'nativegrad.info': '{}', note: 'ü' },
    };
    return Buffer.concat(encodeOnnx(model, wire));
}

function manifestFile(random: Random): Buffer {
    const names = ['model.safetensors', 'optimizer.safetensors', 'state.json'].slice(random(4));
    const entries = names.map((name) => [name, { bytes: random(1 << 20), sha256: sha256(name) }] as const);
    return Buffer.from(
        manifestText({
            ...{ format: 'nativegrad.checkpoint', version: 1, step: random(99), sequence: random(99) },
            configHash: random(2) === 0 ? '' : sha256(''),
            metrics: random(2) === 0 ? {} : { loss: random(9) / 4, validationLoss: null },
            files: Object.fromEntries(entries),
        }),
    );
}

function sizes(random: Random): number[] {
    return Array.from({ length: random(3) }, () => random(4));
}

function array(
    kinds: readonly StoredDType[],
    random: Random,
): { dtype: StoredDType; shape: number[]; data: Buffer } {
    const dtype = kinds[random(kinds.length)] ?? 'float32';
    const shape = sizes(random);
    const data = noise(byteLengthOf(dtype, shape) ?? 0, random);
    return { dtype, shape, data: dtype === 'bool' ? (data.map((byte) => byte & 1) as Buffer) : data };
}

function noise(length: number, random: Random): Buffer {
    return Buffer.from(Array.from({ length }, () => random(256)));
}

function change(bytes: Buffer, random: Random): Buffer {
    const at = random(Math.max(bytes.length, 1));
    const token = Buffer.from(tokens[random(tokens.length)] ?? '', 'latin1');
    switch (random(8)) {
        case 0:
            if (bytes.length > 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
            return bytes;
        case 1:
            if (bytes.length > 0) bytes[at] = edges[random(edges.length)] ?? 0;
            return bytes;
        case 2:
            return bytes.subarray(0, at);
        case 3:
            return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(16))]);
        case 4:
            return Buffer.concat([
                bytes.subarray(0, at),
                bytes.subarray(at, at + random(64)),
                bytes.subarray(at),
            ]);
        case 5:
            return Buffer.concat([bytes, noise(random(16), random)]);
        case 6:
            return Buffer.concat([bytes.subarray(0, at), token, bytes.subarray(at)]);
        default: {
            const text = bytes.toString('latin1');
            const runs = [...text.matchAll(/\d+/g)];
            const run = runs[random(Math.max(runs.length, 1))];
            if (run === undefined) return bytes;
            const value = String(Number(run[0]) + random(9) - 4);
            return Buffer.from(
                text.slice(0, run.index) + value + text.slice(run.index + run[0].length),
                'latin1',
            );
        }
    }
}

/** Makes announced header lengths and hashes right again, or nothing behind them would ever be reached. */
function mend(name: ParserName, bytes: Buffer): void {
    const end = bytes.lastIndexOf('}');
    if (name === 'safetensors' && end >= 8) bytes.writeBigUInt64LE(BigInt(end - 7));
    if (name === 'npy' && end >= 10) bytes.writeUInt16LE(Math.min(end - 8, bytes.length - 10), 8);
    const [, body] = name === 'manifest' ? (/"manifest":(.*)\}\n$/.exec(bytes.toString('latin1')) ?? []) : [];
    if (body !== undefined) bytes.write(sha256(body), '{"sha256":"'.length, 'latin1');
}
