import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import type { DoctorReport } from '../../lib/cli/doctor_command.js';
import { runCommandLine } from '../../lib/cli/program.js';
import { Collector } from '../support/collector.js';

const MAIN = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url));
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
};

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
    const out = new Collector();
    const err = new Collector();
    const code = await runCommandLine(argv, { out, err });
    return { code, out: out.text, err: err.text };
}

describe('program', () => {
    it('prints help and version', async () => {
        assert.deepEqual(await run('--version'), { code: 0, out: `${version}\n`, err: '' });
        assert.match((await run('train', '--help')).out, /--use_batch_norm/);
    });

    it('answers a mistake with one line on stderr and code 2', async () => {
        for (const argv of [['trian'], ['train', '--epoch', '3'], ['doctor', '--epochs', '3']]) {
            const { code, out, err } = await run(...argv);
            assert.equal(code, 2);
            assert.equal(out, '');
            assert.match(err, /^nativegrad: unknown .*\n$/);
        }
    });

    it('doctor names Node, the addon, instruction sets, threads, CUDA and why not', async () => {
        const { code, out } = await run('doctor', '--json');
        assert.equal(code, 0);
        const report = JSON.parse(out) as DoctorReport;
        assert.equal(report.node, process.versions.node);
        assert.match(report.addon.path!, /nativegrad\.node$/);
        assert.ok(report.addon.instructionSets!.found.includes(report.addon.instructionSets!.used));
        assert.ok(report.addon.threads! >= 1);
        assert.equal(report.cuda.available, report.cuda.reason === '');
        assert.equal(report.cuda.available, report.cuda.devices.length > 0);
        const text = (await run('doctor')).out;
        for (const row of ['Node', 'Addon', 'Instructions', 'Threads', 'CUDA', 'NVIDIA driver'])
            assert.match(text, new RegExp(`^${row} `, 'm'));
    });

    it('doctor says what helps where the addon is missing, with code 1', () => {
        const env = { ...process.env, NATIVEGRAD_BINARY: '/no/such.node' };
        const { status, stdout } = spawnSync(process.execPath, ['--import', 'tsx', MAIN, 'doctor'], {
            env,
            encoding: 'utf8',
        });
        assert.equal(status, 1);
        assert.match(stdout, /Addon +not usable/);
        assert.match(stdout, /\/no\/such\.node: missing/);
    });

    it('says why auto computes on the CPU where a plugin is named', () => {
        const env = { ...process.env, NATIVEGRAD_CUDA: '/no/such.so', NATIVEGRAD_DEVICE: '' };
        const words = ['--import', 'tsx', MAIN, 'evaluate', '--model_path', '/no/such.safetensors'];
        const { stderr } = spawnSync(process.execPath, words, { env, encoding: 'utf8' });
        const line =
            /^nativegrad: computing on the CPU; .* cannot be used: .*no \/no\/such\.so, which NATIVEGRAD_CUDA names/m;
        assert.match(stderr, line);
    });

    it('helps without the addon', () => {
        const env = { ...process.env, NATIVEGRAD_BINARY: '/no/such.node' };
        const output = execFileSync(process.execPath, ['--import', 'tsx', MAIN, 'train', '-h'], {
            env,
            encoding: 'utf8',
        });
        assert.match(output, /Examples:/);
    });
});
