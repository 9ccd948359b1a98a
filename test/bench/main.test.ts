import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { runCommand, type CommandResult } from '../support/command.js';

const MAIN = fileURLToPath(new URL('../../scripts/bench/main.ts', import.meta.url));

const bench = (...words: string[]): Promise<CommandResult> =>
    runCommand(process.execPath, ['--import', 'tsx', MAIN, ...words]);

interface PrintedRow {
    readonly name: string;
    readonly unit: string;
    readonly ours: { readonly min: number; readonly median: number };
    readonly peers: object;
    readonly ratio: number | null;
    readonly peak_fraction: number;
}

describe('bench command', () => {
    it('ends well where its reader has left, without measuring what nobody reads', async () => {
        for (const words of [
            ['--list'],
            ['mlp', 'conv', '--rounds', '1', '--python', '/nonexistent/python3'],
        ]) {
            const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...words]);
            child.stdout.destroy();
            let said = '';
            child.stderr.on('data', (part: Buffer) => (said += part.toString()));
            const [code] = (await once(child, 'close')) as [number | null];
            assert.equal(code, 0, said);
            assert.doesNotMatch(said, /EPIPE|\(2 of/);
        }
    });

    it('prints our column alone where there is no PyTorch, and rows as the last line with --json', async () => {
        const { code, stdout, stderr } = await bench(
            ...[
                'mlp',
                '--json',
                '--rounds',
                '1',
                '--python',
                '/nonexistent/python3',
                '--tfjs',
                '/nonexistent',
            ],
        );
        assert.equal(code, 0, stderr);
        assert.match(stderr, /no PyTorch in \/nonexistent\/python3 .*our column alone/);
        assert.match(stderr, /no TensorFlow\.js with its wasm backend in \/nonexistent .*--tfjs FOLDER/);
        const last = stdout.trimEnd().split('\n').at(-1) ?? '';
        const [row] = JSON.parse(last) as PrintedRow[];
        assert.equal(row.name, 'mlp_f32_b64');
        assert.equal(row.unit, 'ms/step');
        assert.ok(row.ours.min > 0 && row.ours.min <= row.ours.median);
        assert.deepEqual(row.peers, {});
        assert.equal(row.ratio, null);
        assert.ok(row.peak_fraction > 0 && row.peak_fraction < 1.2, `${row.peak_fraction} of the peak`);
    });

    it('says before it measures that figures cannot be kept', async () => {
        const { code, stdout, stderr } = await bench('eager', '--save', '/nonexistent/figures.json');
        assert.deepEqual([code, stdout], [2, '']);
        assert.match(stderr, /^bench: --save \/nonexistent\/figures\.json cannot be written: ENOENT.*\n$/);
    });

    it('times a single row by its name', async () => {
        const { code, stdout, stderr } = await bench(
            ...[
                'gemm_f32_nt_64x10x128',
                'eager',
                '--json',
                '--rounds',
                '1',
                '--python',
                '/nonexistent/python3',
            ],
        );
        assert.equal(code, 0, stderr);
        const rows = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as PrintedRow[];
        const [product, ...others] = rows;
        assert.equal(product.name, 'gemm_f32_nt_64x10x128');
        assert.ok(product.peak_fraction > 0 && product.peak_fraction < 1.2);
        assert.deepEqual(
            others.map(({ name, unit, peak_fraction }) => [name, unit, peak_fraction]),
            ['add', 'add_recorded', 'add_backward'].map((word, i) => [
                `eager_${word}_f32_16${i === 2 ? '_chain10' : ''}`,
                'ns/op',
                null,
            ]),
        );
    });

    it('lists names, and says in its help what there is', async () => {
        const { code, stdout } = await bench('--list', 'startup', 'cnn_f32_b128');
        assert.equal(code, 0);
        assert.equal(stdout, 'cnn_f32_b128\nstartup_first_op\nstartup_rss_mlp\nstartup_package\n');
        const help = await bench('--help');
        assert.equal(help.code, 0);
        assert.match(help.stdout, /gemm, conv, norm, mlp, cnn, models, eager,\s+startup/);
    });

    it('refuses what it does not know with one line and exit code 2', async () => {
        for (const [words, message] of [
            [['nope'], /no benchmark nope; there are gemm, conv, .*--list/],
            [['mlp', '--rounds', '0'], /expected a whole number above 0/],
            [['mlp', '--fast'], /unknown option '--fast'/],
            [['mlp', '--data', '/nonexistent'], /no such folder/],
        ] as const) {
            const { code, stdout, stderr } = await bench(...words);
            assert.equal(code, 2, stderr);
            assert.match(stderr, message);
            assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
            assert.equal(stdout, '');
        }
    });
});
