import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { runCommand } from '../support/command.js';
import { writeSmallMnist } from '../support/small_mnist.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface Output {
    test_accuracy: number;
    test_loss: number;
    validation_accuracy: number | null;
    device: string;
    model_path: string;
}

async function run(command: 'train' | 'evaluate', flags: string): Promise<Output> {
    const words = ['--import', 'tsx', join('scripts', `${command}.ts`), '--json', ...flags.split(' ')];
    const { code, stdout, stderr } = await runCommand(process.execPath, words, { cwd: ROOT });
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Output;
}

/** Sums of a GPU have another order, and training multiplies what that rounds. */
function assertClose(actual: number, expected: number, tolerance: number, what: string): void {
    assert.ok(Math.abs(actual - expected) <= tolerance, `${what} is ${actual}, expected ${expected}`);
}

// Shortened runs on the simulator: whole ones are for real GPUs (npm run test:gpu).
describe('the command line on a GPU', function () {
    this.timeout(600_000);
    const folder = useTemporaryFolder();
    const data = (): string => join(folder(), 'data');

    function train(device: string, flags: string): Promise<Output> {
        const output = `--data ${data()} --output_dir ${join(folder(), 'output')} --run_name ${device.replace(':', '-')}`;
        return run('train', `${output} --device ${device} ${flags}`);
    }

    async function assertSameTraining(flags: string, learned: number): Promise<void> {
        const [gpu, cpu] = [await train('cuda', flags), await train('cpu', flags)];
        assert.ok(cpu.test_accuracy > learned, `the CPU reaches ${cpu.test_accuracy}`);
        assert.equal(gpu.device, 'cuda');
        assert.equal(cpu.device, 'cpu');
        assertClose(gpu.test_loss, cpu.test_loss, 1e-4, 'test loss');
        assertClose(gpu.test_accuracy, cpu.test_accuracy, 0.005, 'test accuracy');
        assertClose(
            gpu.validation_accuracy ?? NaN,
            cpu.validation_accuracy ?? NaN,
            0.01,
            'validation accuracy',
        );
        // Either device reads what the other wrote.
        for (const { model_path: path, test_accuracy: accuracy, test_loss: loss } of [gpu, cpu]) {
            const evaluated = await run('evaluate', `--model_path ${path} --data ${data()} --device cuda`);
            assertClose(evaluated.test_accuracy, accuracy, 0.005, 'evaluated accuracy');
            assertClose(evaluated.test_loss, loss, 1e-4, 'evaluated loss');
        }
    }

    it('takes any of the GPUs, and names one that is not there in a line', async () => {
        mkdirSync(data());
        writeSmallMnist(data(), 64, 32);
        const flags = '--epochs 1 --max_steps 1 --hidden_sizes 8 --validation_split 0';
        const { device, model_path: path } = await train('cuda:1', flags);
        assert.equal(device, 'cuda:1');
        const evaluated = await run('evaluate', `--model_path ${path} --data ${data()} --device cuda:1`);
        assert.equal(evaluated.device, 'cuda:1');
        for (const command of ['train', 'evaluate'] as const) {
            const words = `--import tsx scripts/${command}.ts --data ${data()} --device cuda:2`.split(' ');
            if (command === 'evaluate') words.push('--model_path', path);
            const { code, stdout, stderr } = await runCommand(process.execPath, words, { cwd: ROOT });
            assert.deepEqual([code, stdout], [2, '']);
            assert.equal(
                stderr,
                'nativegrad: --device cuda:2 is not there: this process sees 2 GPUs, cuda:0 to cuda:1\n',
            );
        }
    });

    it('trains to the loss and accuracy of the CPU', async () => {
        mkdirSync(data());
        writeSmallMnist(data(), 2000, 400);
        await assertSameTraining('--epochs 1 --max_steps 28 --hidden_sizes 32 --learning_rate 0.003', 0.5);
    });

    it('trains convolutions with batch norm as the CPU does', async () => {
        mkdirSync(data());
        writeSmallMnist(data(), 200, 40);
        await assertSameTraining(
            '--architecture cnn --conv_channels 4,8 --hidden_sizes 16 --use_batch_norm --batch_size 16 --epochs 1 --optimizer sgd',
            0.15,
        );
    });
});
