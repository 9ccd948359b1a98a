// Feeds damaged files to the parsers of safetensors, IDX, .npy, .npz, ONNX and the manifest of a checkpoint:
// npm run fuzz:parsers -- --cases 1000000 --seed 7 --parsers safetensors,idx (default: all of them)
// Each must give a typed error or a result; sound files must be read; and the reference reader of safetensors (PyPI, see
// test/requirements.txt) must agree. A case is run alone by --seed S --first I --cases 1 and the same --parsers.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { DataFileError } from '../../../lib/data/data_file_error.js';
import { decodeIdx } from '../../../lib/data/idx.js';
import { CheckpointError } from '../../../lib/io/checkpoint/checkpoint_error.js';
import { parseManifest } from '../../../lib/io/checkpoint/manifest.js';
import { decodeNpy } from '../../../lib/io/npy.js';
import { NpyError } from '../../../lib/io/npy_error.js';
import { decodeNpz } from '../../../lib/io/npz.js';
import { decodeOnnx } from '../../../lib/io/onnx/decode_onnx.js';
import { OnnxError } from '../../../lib/io/onnx/onnx_error.js';
import { decodeSafetensors, SafetensorsError } from '../../../lib/io/safetensors.js';
import { caseRandom, makeInput, parserNames, wire, type ParserName } from './inputs.js';

/** Rules of ours that the reference reader lacks; what only they refuse, it may accept (test/io/safetensors.test.ts names each). */
const stricter = [
    'duplicate-key',
    'unknown-field',
    'integer-range',
    'rank',
    'bool-value',
    'dtype',
    'header-start',
];
const kinds = {
    safetensors: SafetensorsError,
    idx: DataFileError,
    npy: NpyError,
    npz: NpyError,
    onnx: OnnxError,
    manifest: CheckpointError,
};
const readers: Readonly<Record<ParserName, (bytes: Uint8Array) => unknown>> = {
    safetensors: decodeSafetensors,
    idx: (bytes) => decodeIdx(bytes, 'input'),
    npy: (bytes) => decodeNpy(bytes, 'input'),
    npz: (bytes) => decodeNpz(bytes, 'input', 1 << 20),
    onnx: (bytes) => decodeOnnx(bytes, 'input', wire),
    manifest: (bytes) => parseManifest(Buffer.from(bytes).toString('latin1'), 'input'),
};
const reference = `
import sys, struct, safetensors
stdin = sys.stdin.buffer
while head := stdin.read(9):
    length, index, verdict = struct.unpack('<IIB', head)
    data = stdin.read(length)
    try:
        safetensors.deserialize(data); accepts = True
    except safetensors.SafetensorError: accepts = False
    if verdict != 2 and accepts != (verdict == 1): print(f'DIFFERS case {index}: the reference reader {"accepts" if accepts else "rejects"}', data.hex())
`;

const { values } = parseArgs({
    options: {
        cases: { type: 'string', default: '1000000' },
        seed: { type: 'string', default: '1' },
        first: { type: 'string', default: '0' },
        parsers: { type: 'string', default: parserNames.join() },
    },
});
const [cases, seed, first] = [values.cases, values.seed, values.first].map(Number);
if (![cases, seed, first].every(Number.isSafeInteger))
    throw new Error('--cases, --seed and --first take whole numbers');
const chosen = parserNames.filter((name) => values.parsers.split(',').includes(name));
if (chosen.join() !== values.parsers)
    throw new Error(`--parsers takes some of ${parserNames.join()}, in this order`);
const note = (entry: object): void => {
    const counts = process.env.NATIVEGRAD_TEST_COUNTS;
    if (counts) appendFileSync(counts, `${JSON.stringify({ pid: process.pid, ...entry })}\n`);
};

note({ event: 'start' });
const start = Date.now();
const python = spawn(process.env.NATIVEGRAD_TEST_PYTHON ?? 'build/test_venv/bin/python', ['-c', reference], {
    stdio: ['pipe', 'pipe', 'inherit'],
});
let differences = '';
python.stdout.setEncoding('utf8').on('data', (piece: string) => (differences += piece));
const closed = once(python, 'close');
const accepted = new Map<string, number>();
const failures: string[] = [];
for (let index = first ?? 0; index < (first ?? 0) + (cases ?? 0); index++) {
    const random = caseRandom(seed ?? 1, index);
    const name = chosen[random(chosen.length)] ?? 'safetensors';
    const { bytes, isSound } = makeInput(name, random);
    const verdict = verdictOf(name, bytes, isSound, index);
    if (name !== 'safetensors') continue;
    const head = Buffer.alloc(9);
    head.writeUInt32LE(bytes.length);
    head.writeUInt32LE(index % 2 ** 32, 4);
    head[8] = verdict;
    python.stdin.write(head);
    if (!python.stdin.write(bytes)) await once(python.stdin, 'drain');
}
python.stdin.end();
const [code] = (await closed) as [number | null];
if (code !== 0) failures.push(`the reference reader ended with code ${String(code)}`);
failures.push(...differences.split('\n').filter((line) => line !== ''));
for (const line of failures.slice(0, 50)) console.log(line);
const seconds = ((Date.now() - start) / 1000).toFixed(0);
console.log(
    [...accepted]
        .map(([key, count]) => `${count} ${key}`)
        .sort()
        .join(', '),
);
console.log(
    `parser fuzz, seed ${values.seed}: ${values.cases} cases, ${failures.length} failed, ${seconds} s`,
);
note({
    event: 'end',
    passed: failures.length === 0 ? chosen.length : 0,
    failed: failures.length,
    pending: 0,
});
process.exitCode = failures.length === 0 ? 0 : 1;

/** 1 for accepted, 0 for refused, 2 for refused by a rule that the reference reader lacks. */
function verdictOf(name: ParserName, bytes: Buffer, isSound: boolean, index: number): number {
    const fail = (problem: string): void =>
        void failures.push(`FAILED case ${index}, ${name}: ${problem} ${bytes.toString('hex')}`);
    try {
        readers[name](new Uint8Array(bytes));
        accepted.set(`${name} read`, (accepted.get(`${name} read`) ?? 0) + 1);
        return 1;
    } catch (error) {
        if (isSound) fail(`a sound file is refused: ${String(error)}`);
        if (!(error instanceof kinds[name])) fail(String(error));
        accepted.set(`${name} refused`, (accepted.get(`${name} refused`) ?? 0) + 1);
        return error instanceof SafetensorsError && stricter.includes(error.code) ? 2 : 0;
    }
}
