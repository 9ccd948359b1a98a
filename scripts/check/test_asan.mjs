// Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer in build-asan/ and runs the suite on it.
// Words on the command line go to mocha: npm run test:asan -- test/ops/matmul.test.ts
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { ensureNative } from '../build/ensure_native.mjs';
import { runMocha } from './run_mocha.mjs';

function runtimeLibrary(name) {
    const compiler = process.env.CXX ?? 'c++';
    return execFileSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
}

try {
    const binary = await ensureNative({
        root: resolve('.'),
        buildDir: resolve('build-asan'),
        defines: ['NATIVEGRAD_SANITIZE=ON'],
    });
    process.exitCode = await runMocha(
        // The build tools' own tests run no native code of ours; e2e/ trains for minutes.
        // Sizes and times are the sanitizer's there, not ours.
        [
            ...process.argv.slice(2),
            '--ignore=test/scripts/**',
            '--ignore=test/e2e/**',
            '--timeout=120000',
            '--grep=stays at its size|serves a 10 ms timer',
            '--invert',
        ],
        {
            NATIVEGRAD_BINARY: binary,
            // Node is not built with the sanitizer, so its run-time library must come first. Node holds its own copy
            // of the C++ library; without libstdc++ here the sanitizer finds no __cxa_throw to wrap.
            LD_PRELOAD: [runtimeLibrary('libasan.so'), runtimeLibrary('libstdc++.so.6')].join(' '),
            // V8 never frees what it holds at exit; leaks are what the memory tests are for.
            ASAN_OPTIONS: 'detect_leaks=0:detect_stack_use_after_return=0:allocator_may_return_null=1',
            UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
        },
    );
} catch (error) {
    console.error(error.message);
    process.exitCode = 2;
}
