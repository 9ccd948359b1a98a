import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

const folder = resolve('build-cuda');
const plugin = join(folder, 'libnativegrad_cuda.so');

interface Ended {
    readonly status: number | null;
    readonly text: string;
}

// What a machine with GPUs looks like without them.
const hidden = { CUDA_VISIBLE_DEVICES: '-1' };

function ended(command: string, words: readonly string[], environment: NodeJS.ProcessEnv = {}): Ended {
    const { status, stdout, stderr } = spawnSync(command, words, {
        encoding: 'utf8',
        env: { ...process.env, NATIVEGRAD_CUDA: plugin, NATIVEGRAD_DEVICE: '', ...environment },
    });
    return { status, text: `${stdout}${stderr}` };
}

const script = `
const { cuda, ones } = await import('./lib/index.ts');
const said = { available: cuda.isAvailable(), reason: cuda.unavailableReason() ?? '', name: '', message: '' };
try {
    ones([2]).to('cuda');
} catch (error) {
    Object.assign(said, { name: error.name, message: error.message });
}
console.log(JSON.stringify(said));`;

/** The built plugin itself; on a machine without a GPU, that it loads, is complete, and says what is missing. */
describe('the CUDA plugin', () => {
    let missing = '';

    before(() => {
        assert.ok(existsSync(plugin), `${plugin} is missing: npm run build:cuda`);
        missing = probed();
    });

    /** What is missing; empty where there is a GPU. */
    function probed(environment?: NodeJS.ProcessEnv): string {
        const { status, text } = ended(join(folder, 'cuda_gpu_test'), ['--probe'], environment);
        assert.ok(status === 0 || status === 3, text);
        return status === 0 ? '' : (/^\[cuda\] (.*)$/m.exec(text)?.[1] ?? 'nothing was said');
    }

    it('says what stands between this machine and a GPU, which may be hidden', () => {
        const reason = probed(hidden);
        assert.match(reason, /driver|GPU|CUDA_VISIBLE_DEVICES/);
        assert.match(reason, /newer|nvidia-smi|unset|start/, 'and what helps');
    });

    it('is loaded with a table that is complete, and the tensors say the same', () => {
        // The addon refuses a plugin of another version, or with an empty slot, before it asks for devices.
        const { status, text } = ended(process.execPath, [
            '--import',
            'tsx',
            '--input-type=module',
            '-e',
            script,
        ]);
        assert.equal(status, 0, text);
        const said = JSON.parse(text) as {
            available: boolean;
            reason: string;
            name: string;
            message: string;
        };
        assert.deepEqual([said.available, said.reason], [missing === '', missing]);
        const expected = missing === '' ? ['', ''] : ['CudaError', `[to] CUDA cannot be used: ${missing}`];
        assert.deepEqual([said.name, said.message], expected);
    });

    it('is what doctor tells about', () => {
        const { status, text } = ended(process.execPath, ['--import', 'tsx', 'scripts/doctor.ts', '--json']);
        assert.equal(status, 0, text);
        const { cuda } = JSON.parse(text) as {
            cuda: { available: boolean; reason: string; driver?: string; devices: string[] };
        };
        assert.deepEqual([cuda.available, cuda.reason], [missing === '', missing]);
        assert.equal(cuda.devices.length > 0, missing === '');
    });

    it('keeps a command that demands it from falling back in silence', () => {
        const words = ['--import', 'tsx', 'scripts/train.ts', '--device', 'cuda', '--max_steps', '1'];
        const { status, text } = ended(process.execPath, words, hidden);
        assert.equal(status, 2);
        assert.ok(text.includes(`--device cuda cannot be used: ${probed(hidden)}`), text);
    });
});
