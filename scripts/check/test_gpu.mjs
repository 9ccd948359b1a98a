// Tests on a real GPU: npm run test:gpu [-- --fast] [-- --grep WORDS]
//   --fast        without the sanitizers and the long training run
//   --grep WORDS  only those of the tests of ops, layers and so on whose names hold the words
//   --plugin FILE another plugin than build-cuda/libnativegrad_cuda.so: with the simulator's, the whole course can be tried without a
//                 GPU (trainings are shortened)
// Needs what `npm run build:native && npm run build:cuda` made, Node and node_modules; no compiler and no npm: from an unpacked
// bundle, `node scripts/check/test_gpu.mjs`. Without a GPU it says why, runs nothing and ends with 0; with 2 where it cannot be run.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { findCommand } from '../build/toolchain.mjs';
import { deviceTests } from './device_tests.mjs';
import { sanitizerRuns } from './gpu_sanitizers.mjs';
import { runMocha } from './run_mocha.mjs';

const failures = [];
// What --probe ends with where no GPU can be used.
const noDevice = 3;

function commandLine() {
    const { values } = parseArgs({
        options: {
            fast: { type: 'boolean', default: false },
            grep: { type: 'string' },
            plugin: { type: 'string', default: join('build-cuda', 'libnativegrad_cuda.so') },
        },
    });
    const plugin = resolve(values.plugin);
    const isSimulator = plugin.endsWith('_sim.so');
    const kernelTest = join(dirname(plugin), isSimulator ? 'cuda_sim_test' : 'cuda_gpu_test');
    return { ...values, plugin, isSimulator, kernelTest };
}

/** Whether the command ended well; how it ended and how long it took is said. */
function run(name, command, words, options = {}) {
    console.log(`\n==== ${name}: ${[command, ...words].join(' ')}`);
    const start = Date.now();
    const { status, signal, error } = spawnSync(command, words, { stdio: 'inherit', ...options });
    if (error) console.error(error.message);
    const end = status === 0 ? 'passed' : `FAILED (${signal ?? status})`;
    console.log(`==== ${name}: ${end} after ${((Date.now() - start) / 1000).toFixed(1)} s`);
    if (status !== 0) failures.push(name);
    return status === 0;
}

/** Why this machine has no GPU to run on, or undefined. Throws where that cannot be told. */
function reasonAgainst({ plugin, kernelTest }) {
    for (const path of [plugin, kernelTest])
        if (!existsSync(path)) throw new Error(`${path} is missing: npm run build:cuda`);
    const { status, signal, stdout, stderr, error } = spawnSync(kernelTest, ['--probe'], {
        encoding: 'utf8',
    });
    if (error) throw new Error(`${kernelTest} does not start: ${error.message}`);
    if (status === 0) return undefined;
    const said = `${stdout}${stderr}`.trim();
    if (status !== noDevice) throw new Error(`${kernelTest} --probe ends with ${signal ?? status}: ${said}`);
    // The first line is of devices and versions.
    const [facts, message] = said.split('\n');
    return message || facts;
}

/** compute-sanitizer of the machine or of CUDA_HOME, else the one that the build has laid beside the plugin. */
function findSanitizer(plugin) {
    const onPath = findCommand(['compute-sanitizer']);
    if (onPath) return onPath;
    const roots = process.env.CUDA_HOME ? [process.env.CUDA_HOME] : [];
    roots.push(join(dirname(plugin), 'compute-sanitizer'));
    return roots.map((root) => join(root, 'bin', 'compute-sanitizer')).find((path) => existsSync(path));
}

function sanitize({ plugin, kernelTest }, environment) {
    const sanitizer = findSanitizer(plugin);
    if (!sanitizer) {
        failures.push(
            'sanitizers: there is no compute-sanitizer; npm run build:cuda lays one beside the plugin',
        );
        return;
    }
    for (const { name, words } of sanitizerRuns(kernelTest))
        run(name, sanitizer, words, { env: { ...process.env, ...environment } });
}

/** The README's command lines; `least` is a little less than what the CPU reaches with them. */
function train(name, plugin, flags, least) {
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

/** A training that the simulator can do: few digits, a small network. */
function trainOnSimulator(plugin) {
    const folder = mkdtempSync(join(tmpdir(), 'nativegrad-digits-'));
    try {
        const script = `(await import('./test/support/small_mnist.ts')).writeSmallMnist(${JSON.stringify(folder)}, 320, 100)`;
        const words = ['--import', 'tsx', '--input-type=module', '-e', script];
        if (!run('digits', process.execPath, words)) return;
        const flags =
            '--hidden_sizes 16 --batch_size 32 --epochs 4 --validation_split 0 --learning_rate 0.01 --data';
        train('MLP, shortened', plugin, [...flags.split(' '), folder], 0.4);
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
}

async function testOnDevice({ plugin, isSimulator, grep }, environment) {
    console.log('\n==== ops, layers, optimizers, determinism, leaks');
    const words = ['--timeout=600000', ...(grep === undefined ? [] : ['--grep', grep, '--fail-zero'])];
    if ((await runMocha([...deviceTests, ...words], environment)) !== 0) failures.push('tests on the device');
    console.log("\n==== PyTorch's losses");
    const losses = ['test/train/golden_losses.test.ts', '--timeout=600000'];
    if ((await runMocha(losses, environment)) !== 0) failures.push("PyTorch's losses");
    if (isSimulator) trainOnSimulator(plugin);
    else train('MLP', plugin, [], 0.978);
}

async function runAll(options) {
    const { plugin, isSimulator, kernelTest, fast } = options;
    const environment = { NATIVEGRAD_CUDA: plugin, NATIVEGRAD_DEVICE: 'cuda' };
    run('kernels', kernelTest, isSimulator ? ['--seeds', '2'] : []);
    await testOnDevice(options, environment);
    if (!fast && !isSimulator) {
        const flags = '--architecture cnn --conv_channels 32,64 --batch_size 128 --epochs 5 --use_batch_norm';
        train('CNN', plugin, flags.split(' '), 0.988);
        for (const precision of ['fp16', 'bf16'])
            train(`CNN ${precision}`, plugin, [...flags.split(' '), '--mixed_precision', precision], 0.988);
        sanitize(options, environment);
    }
    console.log(failures.length === 0 ? '\nall of it passed' : `\nfailed: ${failures.join('; ')}`);
    return failures.length === 0 ? 0 : 1;
}

try {
    process.chdir(resolve(import.meta.dirname, '..', '..'));
    // A bundle's machine may have no temporary folder.
    mkdirSync(tmpdir(), { recursive: true });
    const options = commandLine();
    const reason = reasonAgainst(options);
    if (reason === undefined) process.exitCode = await runAll(options);
    else {
        console.log(`nothing was run on a GPU: ${reason}`);
        if (process.env.NATIVEGRAD_CUDA)
            console.log('NATIVEGRAD_CUDA is not looked at here: --plugin names a plugin');
    }
} catch (error) {
    console.error(error.message);
    process.exitCode = 2;
}
