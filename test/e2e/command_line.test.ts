import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { startBrowser } from '../support/browser.js';
import { runCommand } from '../support/command.js';
import type { CommandResult } from '../support/command.js';
import { checkPage } from '../support/page_checks.js';
import { writeSmallMnist } from '../support/small_mnist.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const RUN_FILES = [
    'calibration.png',
    'calibration.svg',
    'config.json',
    'confusion_matrix.png',
    'confusion_matrix.svg',
    'curves.png',
    'curves.svg',
    'history.jsonl',
    'metrics.json',
    'mistakes.png',
    'mistakes.svg',
    'model.safetensors',
    'report.html',
    'roc.png',
    'roc.svg',
    'samples.png',
    'samples.svg',
    'tracking.jsonl',
];

const REPORT_SECTIONS = [
    ...['curves', 'confusion', 'classes', 'calibration', 'ranking', 'mistakes'],
    ...['throughput', 'model', 'configuration'],
];

interface TrainOutput {
    test_accuracy: number;
    test_loss: number;
    validation_accuracy: number | null;
    epochs: number;
    seconds: number;
    epoch_seconds: number[];
    device: string;
    run_dir: string;
    model_path: string;
}

interface EvaluateOutput {
    test_accuracy: number;
    test_loss: number;
    per_class: { class: string; precision: number; recall: number; f1: number; support: number }[];
}

function words(command: string, flags: string): string[] {
    return ['--import', 'tsx', join('scripts', `${command}.ts`), ...flags.split(' ').filter(Boolean)];
}

function run(command: 'train' | 'evaluate', flags: string): Promise<CommandResult> {
    return runCommand(process.execPath, words(command, flags), { cwd: ROOT });
}

function lastLine(text: string): unknown {
    return JSON.parse(text.trimEnd().split('\n').at(-1) ?? '');
}

/** The page of a run of digits has every section, and is whole in every width and colour. */
async function checkReport(file: string): Promise<void> {
    const address = pathToFileURL(file).href;
    const browser = await startBrowser();
    try {
        await checkPage(browser, address);
        const page = await browser.newPage();
        await page.goto(address);
        const sections = await page.locator('main > section').all();
        const ids = await Promise.all(sections.map((section) => section.getAttribute('id')));
        assert.deepEqual(ids, REPORT_SECTIONS);
        assert.equal(await page.locator('#confusion tbody tr').count(), 10);
    } finally {
        await browser.close();
    }
}

describe('the command line, from end to end', () => {
    const folder = useTemporaryFolder();
    const output = (): string => join(folder(), 'output');
    const data = (): string => join(folder(), 'data');

    beforeEach(() => {
        mkdirSync(data());
        writeSmallMnist(data(), 1200, 300);
    });

    /** Flags of a run that takes a second. */
    function tiny(more = ''): string {
        return `--data ${data()} --output_dir ${output()} --epochs 2 --hidden_sizes 32 --threads 1 --device cpu ${more}`;
    }

    async function train(more = ''): Promise<TrainOutput> {
        const { code, stdout, stderr } = await run('train', tiny(`--json ${more}`));
        assert.equal(code, 0, stderr);
        return lastLine(stdout) as TrainOutput;
    }

    /** Code 2, one clear line on stderr, nothing on stdout, nothing in the output folder. */
    async function assertRefused(
        command: 'train' | 'evaluate',
        flags: string,
        pattern: RegExp,
    ): Promise<void> {
        const { code, stdout, stderr } = await run(command, flags);
        assert.equal(code, 2, stderr);
        assert.match(stderr, pattern);
        assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
        assert.equal(stdout, '');
        assert.ok(!existsSync(output()) || readdirSync(output()).length === 0);
    }

    it('train writes a whole run folder, and evaluate gives the same figures from the model file alone', async () => {
        const result = await train('--learning_rate 0.005 --experiment_name tries --run_name first');
        assert.equal(result.run_dir, join(output(), 'tries', 'first'));
        assert.deepEqual(readdirSync(result.run_dir).sort(), RUN_FILES);
        for (const name of RUN_FILES) assert.ok(statSync(join(result.run_dir, name)).size > 50, name);
        assert.equal(result.model_path, join(result.run_dir, 'model.safetensors'));
        assert.equal(result.epochs, 2);
        assert.equal(result.epoch_seconds.length, 2);
        assert.equal(result.device, 'cpu');
        assert.ok(result.test_accuracy > 0.6 && result.test_accuracy <= 1, String(result.test_accuracy));
        assert.ok(result.validation_accuracy! > 0.6 && result.test_loss > 0 && result.seconds > 0);
        const history = readFileSync(join(result.run_dir, 'history.jsonl'), 'utf8').trimEnd().split('\n');
        assert.equal(history.length, 2);
        const config = JSON.parse(readFileSync(join(result.run_dir, 'config.json'), 'utf8')) as object;
        assert.deepEqual(Reflect.get(config, 'hidden_sizes'), [32]);
        await checkReport(join(result.run_dir, 'report.html'));

        // evaluate needs nothing but the model file and the test files.
        for (const name of ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte']) rmSync(join(data(), name));
        const flags = `--model_path ${result.model_path} --data ${data()} --json`;
        const { code, stdout, stderr } = await run('evaluate', flags);
        assert.equal(code, 0, stderr);
        const evaluated = lastLine(stdout) as EvaluateOutput;
        assert.equal(evaluated.test_accuracy, result.test_accuracy);
        assert.ok(Math.abs(evaluated.test_loss - result.test_loss) < 1e-5);
        assert.equal(evaluated.per_class.length, 10);
        assert.equal(
            evaluated.per_class.reduce((sum, { support }) => sum + support, 0),
            300,
        );
    });

    it('the same seed gives the same model, another seed another', async () => {
        const models = [];
        for (const seed of [1, 1, 2]) {
            const { model_path } = await train(`--seed ${seed} --dropout_rate 0.1`);
            models.push(readFileSync(model_path));
        }
        const [first, again, other] = models;
        assert.ok(first.equals(again));
        assert.ok(!first.equals(other));
        assert.equal(readdirSync(output()).length, 3);
    });

    it('the learning rate falls by a cosine to 0 unless the flags say otherwise', async () => {
        const rates = async (more: string): Promise<{ schedule: unknown; rates: number[] }> => {
            const { run_dir } = await train(`--epochs 4 --learning_rate 0.01 ${more}`);
            const config = JSON.parse(readFileSync(join(run_dir, 'config.json'), 'utf8')) as object;
            const lines = readFileSync(join(run_dir, 'history.jsonl'), 'utf8').trimEnd().split('\n');
            return {
                schedule: Reflect.get(config, 'lr_schedule'),
                rates: lines.map((line) => (JSON.parse(line) as { learning_rate: number }).learning_rate),
            };
        };
        const usual = await rates('');
        assert.equal(usual.schedule, 'cosine');
        const expected = [1, 2, 3, 4].map((epoch) => 0.005 * (1 + Math.cos((Math.PI * epoch) / 4)));
        usual.rates.forEach((rate, i) => assert.ok(Math.abs(rate - expected[i]) < 1e-12, `${rate}`));
        for (const name of ['none', 'constant']) {
            const { schedule, rates: flat } = await rates(`--lr_schedule ${name}`);
            assert.equal(schedule, name);
            assert.deepEqual(flat, [0.01, 0.01, 0.01, 0.01]);
        }
    });

    const variants = [
        '--architecture cnn --conv_channels 4,8 --use_batch_norm --dropout_rate 0.2 --learning_rate 0.01',
        '--use_batch_norm --batch_size 83',
        '--optimizer sgd --momentum 0.9 --initializer glorot --lr_schedule cosine --gradient_clip 1',
        '--optimizer rmsprop --lr_schedule one_cycle --loss mse --activation tanh --use_batch_norm',
        '--optimizer adamw --lr-schedule plateau --learning-rate 0.01 --validation_split 0 --batch_size 7',
        '--lr_schedule step --batch_size 1200 --learning_rate 0.01 --epochs 12',
        '--lr_schedule exponential --activation sigmoid --learning_rate 0.01',
        '--lr_schedule warmup --model_name digits',
        '--mixed_precision --batch_size 100',
        '--mixed_precision fp16 --gradient_clip 1 --batch_size 100',
        '--architecture cnn --conv_channels 4,8 --use_batch_norm --mixed_precision bf16',
        '--ema_decay 0.8 --use_batch_norm --batch_size 100',
    ];
    for (const flags of variants) {
        it(`trains with ${flags}`, async () => {
            const result = await train(flags);
            assert.ok(
                result.test_accuracy > 0.15 && Number.isFinite(result.test_loss),
                JSON.stringify(result),
            );
            assert.equal(result.validation_accuracy === null, flags.includes('--validation_split 0'));
            const { code, stderr, stdout } = await run(
                'evaluate',
                `--model_path ${result.model_path} --data ${data()} --json`,
            );
            assert.equal(code, 0, stderr);
            assert.equal((lastLine(stdout) as EvaluateOutput).test_accuracy, result.test_accuracy);
        });
    }

    it('prints for people: attribution of data, an epoch a line where there is no terminal, the results', async () => {
        const { code, stdout, stderr } = await run('train', tiny());
        assert.equal(code, 0, stderr);
        assert.match(stdout, /epoch +1\/2/i);
        assert.match(stdout, /test accuracy/i);
        assert.ok(!stdout.includes('\r') && !stdout.includes('\u001b'));
        assert.equal(stderr, '');
    });

    it('refuses wrong flags', async () => {
        await assertRefused(
            'train',
            '--epoch 3',
            /^nativegrad: unknown option '--epoch' \(Did you mean --epochs\?\)$/m,
        );
        await assertRefused('train', '--epochs 0', /--epochs expects an integer from 1 to 100000, got "0"/);
        await assertRefused('evaluate', '', /--model_path is required/);
        await assertRefused('train', tiny('--device cuda'), /--device cuda cannot be used: .*CUDA/);
        await assertRefused(
            'train',
            tiny('--mixed_precision 8'),
            /--mixed_precision expects one of bf16, fp16, got "8"/,
        );
        await assertRefused('train', tiny('--batch_size 1 --use_batch_norm'), /--batch_size/);
        await assertRefused('train', tiny('--validation_split 0.9999'), /--validation_split/);
    });

    it('refuses missing and damaged data', async () => {
        await assertRefused(
            'train',
            `--data ${folder()}/none --output_dir ${output()}`,
            /^nativegrad: --data: .*none: no such folder$/m,
        );
        const path = join(data(), 't10k-labels-idx1-ubyte');
        const bytes = readFileSync(path);
        writeFileSync(path, bytes.subarray(0, 200));
        await assertRefused('train', tiny(), /t10k-labels-idx1-ubyte: cut short/);
        // One flipped bit in the header of the images: the count no longer fits the file.
        writeFileSync(path, bytes);
        const images = join(data(), 'train-images-idx3-ubyte');
        const flipped = readFileSync(images);
        flipped[7] ^= 1;
        writeFileSync(images, flipped);
        await assertRefused('train', tiny(), /train-images-idx3-ubyte: (cut short|bytes left over)/);
        rmSync(images);
        await assertRefused('train', tiny(), /train-images-idx3-ubyte: no such file/);
    });

    it('refuses an output folder that cannot be written and a run that exists', async () => {
        const file = join(folder(), 'file');
        writeFileSync(file, '');
        await assertRefused(
            'train',
            tiny(`--output_dir ${file}`),
            /--output_dir: .*\/file is a file, not a folder/,
        );
        await assertRefused('train', tiny('--output_dir /proc/nothing'), /cannot create the output folder/);
        await train('--run_name one');
        const { code, stderr } = await run('train', tiny('--run_name one'));
        assert.equal(code, 2);
        assert.match(stderr, /one exists already; choose another --run_name/);
        assert.deepEqual(readdirSync(join(output(), 'one')).sort(), RUN_FILES);
    });

    it('evaluate refuses a model that is missing, damaged or not ours', async () => {
        const { model_path } = await train();
        const good = readFileSync(model_path);
        const path = join(folder(), 'model.safetensors');
        const refuse = async (bytes: Uint8Array, pattern: RegExp): Promise<void> => {
            writeFileSync(path, bytes);
            const { code, stdout, stderr } = await run(
                'evaluate',
                `--model_path ${path} --data ${data()} --output_dir ${output()} --json`,
            );
            assert.equal(code, 2, stderr);
            assert.equal(stdout, '');
            assert.match(stderr, pattern);
            assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
        };
        await refuse(good.subarray(0, good.length - 1), /model\.safetensors: .*do not lie in/);
        await refuse(
            good.subarray(0, 5),
            /model\.safetensors: is another kind of file .*expected a safetensors/,
        );
        const text = good.toString('latin1');
        const edited = (from: string, to: string): Buffer => {
            assert.ok(text.includes(from), from);
            return Buffer.from(text.replace(from, to), 'latin1');
        };
        await refuse(
            edited('Flatten', 'Flatter'),
            /layers\[0\]\.type: expected the name of a built-in layer, got "Flatter"/,
        );
        const width = String.raw`outFeatures\":32`;
        await refuse(edited(width, width.replace('32', '33')), /model\.safetensors: .*weights/);
        await refuse(edited('F32', 'F16'), /needs \d+ bytes/);
        const foreign = readFileSync(join(ROOT, 'test/golden/safetensors/every_dtype.safetensors'));
        await refuse(foreign, /does not say which layers it has, .*missing: 1\.weight/);
        rmSync(path);
        const { code, stderr } = await run('evaluate', `--model_path ${path}`);
        assert.equal(code, 2);
        assert.match(stderr, /no such file|ENOENT/);
    });

    it('Ctrl-C ends the run cleanly: model saved, usable, code 130', async () => {
        const flags = tiny('--json --epochs 100000 --run_name cut');
        const child = spawn(process.execPath, words('train', flags), { cwd: ROOT });
        let stdout = '';
        child.stdout.setEncoding('utf8').on('data', (piece: string) => (stdout += piece));
        let stderr = '';
        child.stderr.setEncoding('utf8').on('data', (piece: string) => (stderr += piece));
        const history = join(output(), 'cut', 'history.jsonl');
        const poll = setInterval(() => {
            const isDue = existsSync(history) && readFileSync(history, 'utf8').split('\n').length > 2;
            // Once: a second signal ends the process at once.
            if (isDue && !child.killed) child.kill('SIGINT');
        }, 50);
        const code = await new Promise((resolve) => child.on('close', resolve));
        clearInterval(poll);
        assert.equal(code, 130, stderr);
        const result = lastLine(stdout) as TrainOutput & { interrupted: boolean };
        assert.equal(result.interrupted, true);
        assert.ok(result.epochs >= 2 && result.epochs < 100_000);
        assert.deepEqual(readdirSync(result.run_dir).sort(), RUN_FILES);
        const evaluated = await run('evaluate', `--model_path ${result.model_path} --data ${data()} --json`);
        assert.equal((lastLine(evaluated.stdout) as EvaluateOutput).test_accuracy, result.test_accuracy);
    });
});
