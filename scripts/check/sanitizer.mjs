// What a Node process needs to load libraries that were built with AddressSanitizer.
import { execFileSync } from 'node:child_process';

function runtimeLibrary(name) {
    const compiler = process.env.CXX ?? 'c++';
    return execFileSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
}

export function sanitizerEnvironment() {
    return {
        // Node is not built with the sanitizer, so its run-time library must come first. Node holds its own copy
        // of the C++ library; without libstdc++ here the sanitizer finds no __cxa_throw to wrap.
        LD_PRELOAD: [runtimeLibrary('libasan.so'), runtimeLibrary('libstdc++.so.6')].join(' '),
        // V8 never frees what it holds at exit; leaks are what the memory tests are for.
        ASAN_OPTIONS: 'detect_leaks=0:detect_stack_use_after_return=0:allocator_may_return_null=1',
        UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
    };
}
