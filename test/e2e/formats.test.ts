import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { zipSync } from 'fflate';
import { loadNpz, nn, saveNpz, type Tensor } from '../../lib/index.js';
import { runCommand } from '../support/command.js';
import { writeSmallMnist } from '../support/small_mnist.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface Figures {
    readonly test_accuracy: number;
    readonly test_loss: number;
}

describe('model files of other formats, from end to end', () => {
    const folder = useTemporaryFolder();
    const at = (name: string): string => join(folder(), name);
    const layers =
        '--architecture cnn --conv_channels 4 --hidden_sizes 16 --use_batch_norm --dropout_rate 0.1';

    async function run(command: string, flags: string): Promise<{ stdout: string; stderr: string }> {
        const words = ['--import', 'tsx', join('scripts', `${command}.ts`), ...flags.split(' ')];
        const { code, ...texts } = await runCommand(process.execPath, words, { cwd: ROOT });
        assert.equal(code, 0, texts.stderr);
        return texts;
    }

    async function evaluate(name: string, more = ''): Promise<Figures & { stderr: string }> {
        const flags = `--model_path ${at(name)} --data ${at('data')} --output_dir ${at('out')} --threads 1 --device cpu --json ${more}`;
        const { stdout, stderr } = await run('evaluate', flags.trim());
        return { ...(JSON.parse(stdout) as Figures), stderr };
    }

    /** Code 2 and one line on stderr that names the file. */
    async function refuses(name: string, pattern: RegExp): Promise<void> {
        const flags = `--model_path ${at(name)} --data ${at('data')} --output_dir ${at('out')} --json`;
        const words = ['--import', 'tsx', join('scripts', 'evaluate.ts'), ...flags.split(' ')];
        const { code, stdout, stderr } = await runCommand(process.execPath, words, { cwd: ROOT });
        assert.equal(code, 2, stderr);
        assert.equal(stdout, '');
        assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
        assert.ok(stderr.startsWith(`nativegrad: ${at(name)}: `), stderr);
        assert.match(stderr, pattern);
    }

    beforeEach(() => {
        mkdirSync(at('data'));
        writeSmallMnist(at('data'), 600, 200);
    });

    it('evaluate gives the figures of the training for ONNX and NumPy arrays, and exports come back', async () => {
        const model = join('run', 'model.safetensors');
        const place = `--data ${at('data')} --output_dir ${folder()} --run_name run`;
        const trained = await run('train', `${place} --epochs 1 --threads 1 --device cpu ${layers} --json`);
        const own = JSON.parse(trained.stdout.trimEnd().split('\n').at(-1) ?? '') as Figures;
        const [, { stdout }] = await Promise.all([
            run('export', `${at(model)} --to onnx --output ${at('a.onnx')}`),
            run('export', `--model_path=${at(model)} --to npz --output ${at('a.npz')} --json`),
        ]);
        assert.deepEqual(JSON.parse(stdout), {
            model_path: at(model),
            format: 'npz',
            output: at('a.npz'),
            bytes: readFileSync(at('a.npz')).length,
        });
        const { tensors } = await loadNpz(at('a.npz'));
        const alone = [...tensors].filter(([name]) => !name.endsWith('num_batches_tracked'));
        await saveNpz(at('alone.npz'), Object.fromEntries<Tensor>(alone));
        const [onnx, npz, byFlags] = await Promise.all([
            evaluate('a.onnx'),
            evaluate('a.npz', '--use_batch_norm'),
            evaluate('alone.npz', layers),
            run('export', `${at('a.onnx')} --to safetensors`),
            run('export', `${at('alone.npz')} --to onnx ${layers}`),
        ]);
        for (const { test_accuracy, test_loss } of [onnx, npz, byFlags]) {
            assert.equal(test_accuracy, own.test_accuracy);
            assert.ok(Math.abs(test_loss - own.test_loss) < 1e-5);
            assert.equal(test_loss, onnx.test_loss);
        }
        assert.match(npz.stderr, /warning: --use_batch_norm without effect: .*a\.npz says itself/);
        assert.doesNotMatch(byFlags.stderr, /without effect/);
        assert.deepEqual(readFileSync(at('a.safetensors')), readFileSync(at(model)));
        assert.equal((await nn.loadOnnx(at('alone.onnx'))).model.length, 9);
    });

    it('evaluate refuses foreign ONNX and pickled arrays, saying why', async () => {
        const small = new nn.Sequential(new nn.Flatten(), new nn.Linear(784, 10));
        await nn.exportOnnx(small, at('a.onnx'), { inputShape: [1, 28, 28] });
        const text = readFileSync(at('a.onnx'), 'latin1');
        writeFileSync(at('foreign.onnx'), text.replaceAll('nativegrad.', 'otherworld.'), 'latin1');
        const head = "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }\n";
        const pickled = `\x93NUMPY\x01\x00${String.fromCharCode(head.length, 0)}${head}`;
        writeFileSync(at('pickled.npz'), zipSync({ 'w.npy': Buffer.from(pickled, 'latin1') }));
        await Promise.all([
            refuses('foreign.onnx', /this ONNX file was not exported by nativegrad: /),
            refuses('pickled.npz', /w\.npy: .*pickle/),
        ]);
    });
});
