// Tests on a real GPU: npm run test:gpu [-- --fast]   (--fast leaves out the sanitizers and the long training runs)
// Needs what `npm run build:native && npm run build:cuda` made, Node and node_modules; no compiler and no npm. Without a GPU it
// says why and runs nothing.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { findCommand } from '../build/toolchain.mjs';
import { deviceTests } from './device_tests.mjs';
import { runMocha } from './run_mocha.mjs';

const fast = process.argv.includes('--fast');
const plugin = resolve('build-cuda', 'libnativegrad_cuda.so');
const kernelTest = resolve('build-cuda', 'cuda_gpu_test');
const environment = { NATIVEGRAD_CUDA: plugin, NATIVEGRAD_DEVICE: 'cuda' };
const failures = [];

function run(name, command, words, options = {}) {
    console.log(`\n==== ${name}: ${[command, ...words].join(' ')}`);
    const { status, error } = spawnSync(command, words, { stdio: 'inherit', ...options });
    if (error) console.error(error.message);
    if (status !== 0) failures.push(name);
    return status === 0;
}

/** What stands in the way, or undefined. */
function reasonAgainst() {
    for (const path of [plugin, kernelTest])
        if (!existsSync(path)) return `${path} is missing: npm run build:cuda`;
    const { status, stdout, stderr } = spawnSync(kernelTest, ['--probe'], { encoding: 'utf8' });
    return status === 0 ? undefined : `${stdout}${stderr}`.trim();
}

/** compute-sanitizer of the machine, of CUDA_HOME, or of the toolkit that the build has set up. */
function findSanitizer() {
    const onPath = findCommand(['compute-sanitizer']);
    if (onPath) return onPath;
    const roots = process.env.CUDA_HOME ? [process.env.CUDA_HOME] : [];
    const wheels = resolve('build', 'cuda-toolkit', 'lib');
    if (existsSync(wheels)) {
        for (const python of readdirSync(wheels))
            roots.push(join(wheels, python, 'site-packages', 'nvidia', 'cu13'));
    }
    return roots.map((root) => join(root, 'bin', 'compute-sanitizer')).find((path) => existsSync(path));
}

function sanitize() {
    const sanitizer = findSanitizer();
    if (!sanitizer) {
        console.log(
            '\n==== sanitizers: left out, there is no compute-sanitizer (pip install nvidia-cuda-sanitizer-api)',
        );
        return;
    }
    const words = ['--error-exitcode', '9', '--target-processes', 'all', '--print-limit', '5'];
    for (const tool of ['memcheck', 'racecheck']) {
        run(`${tool} of the kernels' own tests`, sanitizer, ['--tool', tool, ...words, kernelTest]);
        const mocha = [
            'node_modules/mocha/bin/mocha.js',
            'test/nn/layers.test.ts',
            'test/optim/optimizer.test.ts',
        ];
        run(
            `${tool} of layers and optimizers`,
            sanitizer,
            ['--tool', tool, ...words, process.execPath, ...mocha],
            {
                env: { ...process.env, ...environment },
            },
        );
    }
}

/** The README's command lines; the accuracy is that of the CPU. */
function train(name, flags, least) {
    const output = mkdtempSync(join(tmpdir(), 'nativegrad-gpu-'));
    try {
        const words = [
            '--import',
            'tsx',
            'scripts/train.ts',
            '--device',
            'cuda',
            '--output_dir',
            output,
            ...flags,
        ];
        if (!run(name, process.execPath, words, { env: { ...process.env, NATIVEGRAD_CUDA: plugin } })) return;
        const [folder] = readdirSync(output);
        const { test_accuracy: accuracy } = JSON.parse(
            readFileSync(join(output, folder, 'metrics.json'), 'utf8'),
        );
        console.log(`accuracy ${accuracy}, at least ${least} is wanted`);
        if (!(accuracy >= least)) failures.push(`${name}: accuracy ${accuracy}`);
    } finally {
        rmSync(output, { recursive: true, force: true });
    }
}

const reason = reasonAgainst();
if (reason !== undefined) {
    console.log(`nothing was run on a GPU: ${reason}`);
} else {
    run('kernels', kernelTest, []);
    const tests = [...deviceTests, 'test/train/golden_losses.test.ts'];
    if ((await runMocha(tests, environment)) !== 0) failures.push('tests on the device');
    train('MLP', [], 0.978);
    if (!fast) {
        train(
            'CNN',
            '--architecture cnn --conv_channels 32,64 --batch_size 128 --epochs 5 --use_batch_norm'.split(
                ' ',
            ),
            0.988,
        );
        sanitize();
    }
    console.log(failures.length === 0 ? '\nall of it passed' : `\nfailed: ${failures.join('; ')}`);
    process.exitCode = failures.length === 0 ? 0 : 1;
}
