// Builds the simulator of the CUDA backend, for tests: build-sim/libnativegrad_cuda_sim.so and build-sim/cuda_sim_test.
// Usage: node scripts/build/build_sim.mjs [--asan]   (build-sim-asan/ then, with AddressSanitizer)
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { withBuildLock } from './build_lock.mjs';
import { cmakeBuild, cmakeConfigure } from './cmake.mjs';
import { missingTools } from './toolchain.mjs';

const boostHeader = '/usr/include/boost/context/detail/fcontext.hpp';

/** Builds what changed; returns the build folder. Throws an Error whose message is ready to print. */
export async function buildSim({ root, asan = false, targets = [] }) {
    const buildDir = join(root, asan ? 'build-sim-asan' : 'build-sim');
    const missing = missingTools();
    if (missing.length > 0) throw new Error(missing.join('\n'));
    await withBuildLock(join(buildDir, 'lock'), async () => {
        const defines = { NATIVEGRAD_CUDA_SIM: 'ON', NATIVEGRAD_SANITIZE: asan ? 'ON' : 'OFF' };
        const configured = await cmakeConfigure(join(root, 'cuda'), buildDir, defines);
        if (configured.code !== 0) {
            const boost = existsSync(boostHeader)
                ? ''
                : '\nnativegrad: the simulator needs Boost.Context: sudo apt-get install libboost-context-dev';
            throw new Error(`${configured.output}${boost}`);
        }
        const built = await cmakeBuild(buildDir, targets);
        if (built.code !== 0) throw new Error(`${built.output}\nnativegrad: building the simulator failed.`);
    });
    return buildDir;
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
    try {
        const start = Date.now();
        const buildDir = await buildSim({ root: resolve('.'), asan: process.argv.includes('--asan') });
        console.log(`${buildDir}: built in ${((Date.now() - start) / 1000).toFixed(1)} s`);
    } catch (error) {
        console.error(error.message);
        process.exitCode = 2;
    }
}
