import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { runCommand, type CommandResult } from '../support/command.js';
import { writeSmallMnist } from '../support/small_mnist.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const SCRIPT = fileURLToPath(new URL('../../scripts/bench/gpu.ts', import.meta.url));

const bench = (words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CommandResult> =>
    runCommand(process.execPath, ['--import', 'tsx', SCRIPT, ...words], { env: { ...process.env, ...env } });

interface PrintedRow {
    readonly name: string;
    readonly unit: string;
    readonly ours: { readonly median: number };
    readonly peers: object;
}

interface AccuracyRow {
    readonly name: string;
    readonly unit: string;
    readonly ours: { readonly training?: { readonly median: number } };
    readonly peers: object;
}

// Every row runs on a GPU alone: the simulator takes hours for the large ones.
describe('bench:gpu', () => {
    const folder = useTemporaryFolder();

    it('runs small rows on the simulator, and says so', async () => {
        const rows = ['gpu_gemm_f32_tn_10x128x64', 'gpu_gemm_f16_nn_64x128x10'];
        const { code, stdout, stderr } = await bench([
            ...rows,
            '--try',
            '--json',
            '--python',
            '/nonexistent/python3',
        ]);
        assert.equal(code, 0, stderr);
        assert.match(stdout, /^Simulated GPU, driver .* \(for CUDA 13\.0\), CUDA /);
        const found = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as PrintedRow[];
        assert.deepEqual(found.map(({ name }) => name).sort(), [...rows].sort());
        for (const { unit, ours, peers } of found) {
            assert.equal(unit, 'us/20 calls');
            assert.ok(ours.median > 0);
            assert.deepEqual(peers, {});
        }
    });

    it('trains to an accuracy on the simulator, as bench:accuracy does', async () => {
        writeSmallMnist(folder(), 300, 8);
        const file = join(folder(), 'figures.json');
        const words = ['gpu_accuracy_982', 'gpu_accuracy_fp16_mlp', '--try', '--data', folder()];
        const { code, stdout, stderr } = await bench([
            ...words,
            '--save',
            file,
            '--python',
            '/nonexistent/python3',
        ]);
        assert.equal(code, 0, stderr);
        const { rows } = JSON.parse(readFileSync(file, 'utf8')) as { rows: AccuracyRow[] };
        assert.deepEqual(
            rows.map(({ name, unit }) => [name, unit]),
            [
                ['gpu_accuracy_982', 's'],
                ['gpu_accuracy_fp16_mlp', '%'],
            ],
        );
        assert.ok((rows[0]?.ours.training?.median ?? 0) > 0, stdout);
        assert.deepEqual(rows[0]?.peers, {});
        assert.match(stdout, /^accuracy_982, 1 seeds, asked 98\.20 %/m);
    });

    it('has a row for each line of what is to be reached', async () => {
        const { stdout } = await bench(['--list']);
        const names = stdout.trimEnd().split('\n');
        const wanted = [
            ...['gpu_mlp_f32_b64', 'gpu_mlp_f16_b256', 'gpu_cnn_f16_b512', 'gpu_cnn_bf16_b512'],
            ...['gpu_accuracy_982', 'gpu_accuracy_990'],
            ...[64, 128, 256, 512, 1024].map((batch) => `gpu_gemm_f16_nt_${batch}x256x784`),
            ...['fwd', 'bwd_data', 'bwd_weight'].flatMap((direction) => [
                `gpu_conv_f16_${direction}_32x64_14x14_b512`,
                `gpu_conv_f16_${direction}_64x128_14x14_b512`,
            ]),
            'gpu_models_f32_64',
            ...['bf16', 'fp16'].flatMap((precision) => [
                `gpu_accuracy_${precision}_mlp`,
                `gpu_accuracy_${precision}_cnn`,
            ]),
        ];
        assert.deepEqual(
            wanted.filter((name) => !names.includes(name)),
            [],
        );
    });

    // Each kind of row that products do not show; `pytorch_*` is in test/bench/gpu_peers.test.ts.
    it('runs copies, convolutions, steps of both networks and models in small, and keeps them', async () => {
        writeSmallMnist(folder(), 20, 2);
        const file = join(folder(), 'rows.json');
        const directions = ['fwd', 'bwd_data', 'bwd_weight'].map(
            (direction) => `gpu_conv_bf16_${direction}_3x4_5x5_b2`,
        );
        const training = ['gpu_mlp_f16_b2', 'gpu_cnn_bf16_b2'];
        const rows = ['gpu_copy_1mib', ...directions, ...training, 'gpu_models_f32_3'];
        const words = ['--small', '--data', folder(), '--save', file, '--commit', 'abc1234'];
        const { code, stdout, stderr } = await bench([...rows, ...words, '--python', '/nonexistent/python3']);
        assert.equal(code, 0, stderr);
        const saved = JSON.parse(readFileSync(file, 'utf8')) as {
            readonly commit: string;
            readonly machine: string;
            readonly rows: readonly (PrintedRow & { readonly ratios: Readonly<Record<string, number>> })[];
        };
        assert.equal(saved.commit, 'abc1234');
        assert.match(saved.machine, /^Simulated GPU, /);
        assert.deepEqual(saved.rows.map(({ name }) => name).sort(), [...rows].sort());
        for (const { ours } of saved.rows) assert.ok(ours.median > 0);
        // One program beside one after the other, in the row itself.
        const models = saved.rows.find(({ name }) => name === 'gpu_models_f32_3');
        assert.deepEqual(Object.keys(models?.ratios ?? {}), ['nativegrad_in_turn']);
        assert.match(stdout, /nativegrad_in_turn .* [\d.]+x$/m);
    });

    it('measures nothing without a GPU, with the reason and exit code 2', async () => {
        const { code, stdout, stderr } = await bench(['ceilings'], {
            NATIVEGRAD_CUDA_SIM_SETUP: 'fault=no_driver',
        });
        assert.deepEqual([code, stdout], [2, '']);
        assert.match(stderr, /^bench: nothing is measured: no NVIDIA driver on this machine/);
    });

    it('says what each call of a product, a convolution, a copy and a training step takes and moves', async () => {
        writeSmallMnist(folder(), 20, 2);
        const conv = 'gpu_conv_bf16_fwd_3x4_5x5_b2';
        const rows = [
            'gpu_gemm_f32_nt_2x10x128',
            conv,
            'gpu_copy_1mib',
            'gpu_mlp_f32_b2',
            'gpu_models_f32_3',
        ];
        const { code, stdout, stderr } = await bench([...rows, '--profile', '--small', '--data', folder()]);
        assert.equal(code, 0, stderr);
        const parts = new Map(stdout.split('\n\n').map((part) => [/^\w+/.exec(part)?.[0], part]));
        const figures = /^ +[\d.]+ +([\d.]+) +[\d.]+ +[\d.]+ % {2}/.source;
        const lines = (name: string, words: string): RegExpExecArray => {
            const found = new RegExp(figures + words, 'm').exec(parts.get(name) ?? '');
            assert.ok(found, `${words} in ${stdout}`);
            return found;
        };
        const bytes = 4 * (2 * 128 + 128 * 10 + 2 * 10);
        assert.equal(lines('gpu_gemm_f32_nt_2x10x128', '2 times matmul')[1], (bytes / 1e6).toFixed(3));
        lines('gpu_gemm_f32_nt_2x10x128', 'all 2 calls, one by one, [\\d.]+ GFLOP/s$');
        lines(conv, '2 times conv2d ');
        lines('gpu_copy_1mib', 'copy .*\n.* all 1 calls, one by one$');
        lines('gpu_mlp_f32_b2', 'linear');
        assert.equal(parts.get('gpu_models_f32_3')?.trim(), 'gpu_models_f32_3: no profile');
    });

    it('keeps no figures of a profile', async () => {
        const { code, stderr } = await bench(['--profile', '--save', 'figures.json']);
        assert.equal(code, 2);
        assert.match(stderr, /'--profile' cannot be used with option '--save <file>'/);
    });

    it('lists its rows, all by names of their own', async () => {
        const { code, stdout } = await bench(['--list']);
        assert.equal(code, 0);
        const names = stdout.trimEnd().split('\n');
        assert.equal(new Set(names).size, names.length);
        assert.deepEqual(
            names.filter((name) => !/^gpu_[a-z0-9_]+$/.test(name)),
            [],
        );
        const fixed = ['gpu_copy_1gib', 'gpu_mlp_f32_b64', 'gpu_cnn_bf16_b512', 'gpu_models_f32_64'];
        assert.deepEqual(
            fixed.filter((name) => !names.includes(name)),
            [],
        );
    });
});
