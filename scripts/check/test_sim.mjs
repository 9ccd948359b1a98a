// Builds the simulator of the GPU and runs on it: the simulator's own tests, those of devices and of the command line, those
// of ops, layers, losses and optimizers with `cuda` as the device of new tensors, and PyTorch's losses. Each order of blocks and
// lanes after the first (a seed) runs PyTorch's losses and every op forward and backward in every dtype. Runs go side by side.
// Usage: npm run test:sim -- [--asan] [--seeds 3] [mocha's words instead of all that, once per seed]
// --asan: with a build for AddressSanitizer (build-sim-asan/), which finds overruns inside a lane, and no races; PyTorch's losses
// and every op forward and backward there, in one order unless --seeds says more.
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildSim } from '../build/build_sim.mjs';
import { ensureNative } from '../build/ensure_native.mjs';
import { deviceTests } from './device_tests.mjs';
import { runMochaSideBySide } from './run_mocha.mjs';
import { sanitizerEnvironment } from './sanitizer.mjs';

/** Our own words, and what is left for mocha. */
function commandLine(words) {
    const { values, tokens } = parseArgs({
        args: words,
        options: { asan: { type: 'boolean', default: false }, seeds: { type: 'string' } },
        strict: false,
        tokens: true,
    });
    const seeds = Number(values.seeds ?? (values.asan ? 1 : 3));
    if (!Number.isInteger(seeds) || seeds < 1)
        throw new Error(`--seeds takes a positive number, not '${values.seeds}'`);
    const own = new Set();
    for (const { kind, name, index, inlineValue } of tokens) {
        if (kind !== 'option' || (name !== 'asan' && name !== 'seeds')) continue;
        own.add(index);
        if (name === 'seeds' && !inlineValue) own.add(index + 1);
    }
    return { asan: values.asan, seeds, rest: words.filter((_, index) => !own.has(index)) };
}

/** What runs in the order of blocks and lanes that a seed gives; each launch has another one. */
function seeded(seed, environment, title, words) {
    const device = { NATIVEGRAD_DEVICE: 'cuda', NATIVEGRAD_CUDA_SIM_SEED: String(seed) };
    return { title: `${title}, seed ${seed}`, words, environment: { ...environment, ...device } };
}

/** Everything in one order, forward passes and gradients of every op in the further ones; what takes longest comes first. */
function allTests({ asan, seeds }, environment) {
    const samples = 'test/ops/op_samples.test.ts';
    const inBrief = (seed) => [
        seeded(seed, environment, "PyTorch's losses", ['test/train/golden_losses.test.ts']),
        seeded(seed, environment, 'every op', [samples, '--grep=agrees in']),
    ];
    if (asan) {
        const own = {
            title: "the simulator's own",
            words: ['test/cuda/sim_asan/*.test.ts'],
            environment: {},
        };
        return [own, ...Array.from({ length: seeds }, (_, index) => inBrief(index + 1)).flat()];
    }
    return [
        seeded(1, environment, 'ops in depth', [samples]),
        { title: 'devices and command line', words: ['test/cuda/*.test.ts'], environment },
        seeded(1, environment, "PyTorch's losses", ['test/train/golden_losses.test.ts']),
        { title: "the simulator's own", words: ['test/cuda/sim/*.test.ts'], environment: {} },
        seeded(1, environment, 'layers, losses, optimizers', [...deviceTests, `--ignore=${samples}`]),
        ...Array.from({ length: seeds - 1 }, (_, index) => inBrief(index + 2)).flat(),
    ];
}

async function runAll({ asan, seeds, rest }) {
    const root = resolve('.');
    await ensureNative({ root });
    const folder = await buildSim({ root, asan });
    const environment = {
        NATIVEGRAD_CUDA: join(folder, 'libnativegrad_cuda_sim.so'),
        ...(asan ? sanitizerEnvironment() : {}),
    };
    const runs =
        rest.length > 0
            ? Array.from({ length: seeds }, (_, index) => seeded(index + 1, environment, 'named tests', rest))
            : allTests({ asan, seeds }, environment);
    return runMochaSideBySide(
        runs.map((run) => ({ ...run, words: [...run.words, '--timeout=600000'] })),
        rest.length > 0 ? 1 : undefined,
    );
}

try {
    process.exitCode = await runAll(commandLine(process.argv.slice(2)));
} catch (error) {
    console.error(error.message);
    process.exitCode = 2;
}
