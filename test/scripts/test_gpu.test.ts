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

    describe('under compute-sanitizer', () => {
        interface Run {
            readonly name: string;
            readonly words: readonly string[];
        }
        let runs: readonly Run[];
        before(async () => {
            const script = '../../scripts/check/gpu_sanitizers.mjs';
            const { sanitizerRuns } = (await import(script)) as { sanitizerRuns: (program: string) => Run[] };
            runs = sanitizerRuns('/kernels/cuda_gpu_test');
        });

        /** What the sanitizer starts. */
        const startedBy = (words: readonly string[], program: string): readonly string[] =>
            words.slice(words.indexOf(program));

        it('finds faults of memory and races, and no fault in calls that tests have CUDA refuse', () => {
            assert.equal(runs.length, 6);
            for (const { name, words } of runs) {
                const tool = words[words.indexOf('--tool') + 1];
                assert.ok(name.startsWith(`${tool} of `), name);
                assert.equal(words[words.indexOf('--error-exitcode') + 1], '9');
                const api = words.indexOf('--report-api-errors');
                assert.equal(api < 0 ? null : words[api + 1], tool === 'memcheck' ? 'no' : null, name);
            }
        });

        it("runs the kernels' own tests without those of times, of which nothing is to be seen there", () => {
            const own = runs.filter(({ name }) => name.endsWith("the kernels' own tests"));
            assert.deepEqual(
                own.map(({ words }) => startedBy(words, '/kernels/cuda_gpu_test')),
                [1, 2].map(() => ['/kernels/cuda_gpu_test', '--no-clock']),
            );
        });

        it('starts mocha in the process that it watches, whose end it tells', () => {
            const test = join(folder(), 'own.test.ts');
            const text = "it('runs', () => console.log(`child of ${String(process.ppid as number)}`));";
            writeFileSync(test, text);
            const layers = runs.find(({ name }) => name === 'memcheck of layers and optimizers');
            const words = startedBy(layers?.words ?? [], process.execPath);
            const files = words.filter((word) => !word.endsWith('.test.ts'));
            assert.ok(files.length < words.length);
            const [program = '', ...rest] = files;
            const { status, stdout, stderr } = spawnSync(program, [...rest, test], { encoding: 'utf8' });
            assert.equal(status, 0, stderr);
            assert.match(stdout, new RegExp(`child of ${process.pid}\\b`));
            writeFileSync(test, "it('fails', () => process.exit(7));");
            assert.equal(spawnSync(program, [...rest, test]).status, 7);
        });
    });
});
