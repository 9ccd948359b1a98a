// Builds the simulator of the GPU and runs its tests: npm run test:sim [-- --asan]
// With --asan the build is one for AddressSanitizer (build-sim-asan/), which finds other faults. Further words go to mocha.
import { resolve } from 'node:path';
import { buildSim } from '../build/build_sim.mjs';
import { runMocha } from './run_mocha.mjs';

const asan = process.argv.includes('--asan');
const words = process.argv.slice(2).filter((word) => word !== '--asan');

try {
    await buildSim({ root: resolve('.'), asan });
    const tests =
        words.length > 0 ? words : [asan ? 'test/cuda/sim_asan/*.test.ts' : 'test/cuda/sim/*.test.ts'];
    process.exitCode = await runMocha(tests, {});
} catch (error) {
    console.error(error.message);
    process.exitCode = 2;
}
