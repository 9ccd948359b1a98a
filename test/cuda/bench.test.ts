import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';

import { runCommand, type CommandResult } from '../support/command.js';

const SCRIPT = fileURLToPath(new URL('../../scripts/bench/gpu.ts', import.meta.url));

const bench = (words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CommandResult> =>
    runCommand(process.execPath, ['--import', 'tsx', SCRIPT, ...words], { env: { ...process.env, ...env } });

interface PrintedRow {
    readonly name: string;
    readonly unit: string;
    readonly ours: { readonly median: number };
    readonly peers: object;
}

// Every row runs on a GPU alone: the simulator takes hours for the large ones.
describe('bench:gpu', function () {
    this.timeout(300_000);

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
        assert.match(stdout, /^Simulated GPU, driver for CUDA 13\.0, /);
        const found = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as PrintedRow[];
        assert.deepEqual(found.map(({ name }) => name).sort(), [...rows].sort());
        for (const { unit, ours, peers } of found) {
            assert.equal(unit, 'us/20 calls');
            assert.ok(ours.median > 0);
            assert.deepEqual(peers, {});
        }
    });

    it('measures nothing without a GPU, with the reason and exit code 2', async () => {
        const { code, stdout, stderr } = await bench(['ceilings'], {
            NATIVEGRAD_CUDA_SIM_SETUP: 'fault=no_driver',
        });
        assert.deepEqual([code, stdout], [2, '']);
        assert.match(stderr, /^bench: nothing is measured: no NVIDIA driver on this machine/);
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
