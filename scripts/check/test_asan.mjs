// Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer in build-asan/ and runs the suite on it, in parts
// side by side. Words on the command line go to mocha instead: npm run test:asan -- test/ops/matmul.test.ts
import { resolve } from 'node:path';
import { ensureNative } from '../build/ensure_native.mjs';
import { runMocha } from './run_mocha.mjs';
import { sanitizerEnvironment } from './sanitizer.mjs';
import { runSuite } from './suite_parts.mjs';

// The tools' own tests and faults of files run no native code of ours; cli/ and e2e/ train for minutes what others train.
const ignored = [
    ...['scripts', 'bench', 'cli', 'e2e', 'examples', 'plot', 'report', 'resume', 'track'].map(
        (folder) => `${folder}/**`,
    ),
    'io/checkpoint_faults.test.ts',
    'data/csv.test.ts',
    'io/power_loss.test.ts',
    'nn/onnx/**',
];
// Sizes and times are the sanitizer's there, not ours.
const without = ['stays at its size', 'goes back to the system'];
const patience = '--timeout=120000';

try {
    const binary = await ensureNative({
        root: resolve('.'),
        buildDir: resolve('build-asan'),
        defines: ['NATIVEGRAD_SANITIZE=ON'],
    });
    const environment = { NATIVEGRAD_BINARY: binary, ...sanitizerEnvironment() };
    const named = process.argv.slice(2);
    process.exitCode = await (named.length > 0
        ? runMocha([...named, patience], environment)
        : runSuite({ ignored, without, words: [patience], environment, timed: false }));
} catch (error) {
    console.error(error.message);
    process.exitCode = 2;
}
