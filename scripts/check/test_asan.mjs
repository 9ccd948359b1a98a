// Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer in build-asan/ and runs the suite on it.
// Words on the command line go to mocha: npm run test:asan -- test/ops/matmul.test.ts
import { resolve } from 'node:path';
import { ensureNative } from '../build/ensure_native.mjs';
import { runMocha } from './run_mocha.mjs';
import { sanitizerEnvironment } from './sanitizer.mjs';

try {
    const binary = await ensureNative({
        root: resolve('.'),
        buildDir: resolve('build-asan'),
        defines: ['NATIVEGRAD_SANITIZE=ON'],
    });
    process.exitCode = await runMocha(
        // The build tools' own tests and faults of files run no native code of ours; e2e/ trains for minutes.
        // Sizes and times are the sanitizer's there, not ours.
        [
            ...process.argv.slice(2),
            '--ignore=test/scripts/**',
            '--ignore=test/e2e/**',
            '--ignore=test/io/checkpoint_faults.test.ts',
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
