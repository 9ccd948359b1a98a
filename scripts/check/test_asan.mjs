// Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer in build-asan/ and runs the suite on it.
// Words on the command line go to mocha: npm run test:asan -- test/ops/matmul.test.ts
import { resolve } from 'node:path';
import { ensureNative } from '../build/ensure_native.mjs';
import { runMocha } from './run_mocha.mjs';
import { sanitizerEnvironment } from './sanitizer.mjs';

// The tools' own tests and faults of files run no native code of ours; cli/ and e2e/ train for minutes what others train.
const ignored = [
    ...['scripts', 'bench', 'cli', 'e2e', 'plot'].map((folder) => `${folder}/**`),
    'io/checkpoint_faults.test.ts',
];

try {
    const binary = await ensureNative({
        root: resolve('.'),
        buildDir: resolve('build-asan'),
        defines: ['NATIVEGRAD_SANITIZE=ON'],
    });
    process.exitCode = await runMocha(
        // Sizes and times are the sanitizer's there, not ours.
        [
            ...process.argv.slice(2),
            ...ignored.map((path) => `--ignore=test/${path}`),
            '--timeout=120000',
            '--grep=stays at its size|goes back to the system|serves a 10 ms timer',
            '--invert',
        ],
        { NATIVEGRAD_BINARY: binary, ...sanitizerEnvironment() },
    );
} catch (error) {
    console.error(error.message);
    process.exitCode = 2;
}
