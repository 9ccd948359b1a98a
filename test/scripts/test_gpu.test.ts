import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { useTemporaryFolder } from '../support/temporary_folder.js';

describe('npm run test:gpu', () => {
    const folder = useTemporaryFolder();

    /** What it ends with and says for a plugin whose kernel test is the given script, or missing. */
    function endedWith(script?: string): { status: number | null; said: string } {
        const plugin = join(folder(), 'plugin.so');
        const kernelTest = join(folder(), 'cuda_gpu_test');
        writeFileSync(plugin, '');
        if (script !== undefined) writeFileSync(kernelTest, script);
        if (script !== undefined) chmodSync(kernelTest, 0o755);
        const words = ['scripts/check/test_gpu.mjs', '--plugin', plugin];
        const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
        return { status, said: `${stdout}${stderr}` };
    }

    it('passes where there is no GPU, and says why nothing was run', () => {
        const { status, said } = endedWith('#!/bin/sh\necho "no NVIDIA driver"\nexit 3\n');
        assert.deepEqual([status, said], [0, 'nothing was run on a GPU: no NVIDIA driver\n']);
    });

    it('fails where it cannot tell: the kernel test is missing, does not start or ends otherwise', () => {
        const fails = (script: string | undefined, message: RegExp): void => {
            const { status, said } = endedWith(script);
            assert.equal(status, 2, said);
            assert.match(said, message);
        };
        fails(undefined, /cuda_gpu_test is missing: npm run build:cuda/);
        fails('#!/nowhere/sh\n', /cuda_gpu_test does not start: .*ENOENT/);
        fails('#!/bin/sh\necho broken\nexit 1\n', /cuda_gpu_test --probe ends with 1: broken/);
        fails('#!/bin/sh\nkill -9 $$\n', /cuda_gpu_test --probe ends with SIGKILL/);
    });
});
