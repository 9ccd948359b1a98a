// Builds the simulator of the GPU and runs on it: the simulator's own tests, those of devices, and once for each order of
// blocks and lanes the tests of ops, layers, losses and optimizers with `cuda` as the device of new tensors.
// Usage: npm run test:sim -- [--asan] [--seeds 2] [mocha's words instead of the default tests of the device]
// --asan: with a build for AddressSanitizer (build-sim-asan/), which finds overruns inside a lane, and no races.
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildSim } from '../build/build_sim.mjs';
import { ensureNative } from '../build/ensure_native.mjs';
import { deviceTests } from './device_tests.mjs';
import { runMocha } from './run_mocha.mjs';
import { sanitizerEnvironment } from './sanitizer.mjs';

/** Our own words, and what is left for mocha. */
function commandLine(words) {
    const { values, tokens } = parseArgs({
        args: words,
        options: { asan: { type: 'boolean', default: false }, seeds: { type: 'string', default: '2' } },
        strict: false,
        tokens: true,
    });
    const seeds = Number(values.seeds);
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

async function runAll({ asan, seeds, rest }) {
    const root = resolve('.');
    await ensureNative({ root });
    const folder = await buildSim({ root, asan });
    const environment = {
        NATIVEGRAD_CUDA: join(folder, 'libnativegrad_cuda_sim.so'),
        ...(asan ? sanitizerEnvironment() : {}),
    };
    const codes = [];
    if (rest.length === 0) {
        codes.push(await runMocha([asan ? 'test/cuda/sim_asan/*.test.ts' : 'test/cuda/sim/*.test.ts'], {}));
        codes.push(await runMocha(['test/cuda/*.test.ts', '--timeout=180000'], environment));
    }
    for (let seed = 1; seed <= seeds; seed++) {
        console.log(`\nNATIVEGRAD_DEVICE=cuda NATIVEGRAD_CUDA_SIM_SEED=${seed}`);
        const tests = rest.length > 0 ? rest : deviceTests;
        codes.push(
            await runMocha([...tests, '--timeout=180000'], {
                ...environment,
                NATIVEGRAD_DEVICE: 'cuda',
                NATIVEGRAD_CUDA_SIM_SEED: String(seed),
            }),
        );
    }
    if (rest.length === 0) {
        // PyTorch's losses, of the smaller network: the convolutions of the other one take the simulator many minutes.
        codes.push(
            await runMocha(['test/train/golden_losses.test.ts', '--grep= mlp '], {
                ...environment,
                NATIVEGRAD_DEVICE: 'cuda',
            }),
        );
    }
    return codes.some((code) => code !== 0) ? 1 : 0;
}

try {
    process.exitCode = await runAll(commandLine(process.argv.slice(2)));
} catch (error) {
    console.error(error.message);
    process.exitCode = 2;
}
