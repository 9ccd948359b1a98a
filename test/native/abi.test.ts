import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { reportOfChild } from '../support/child.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const plugin = `
#include "backend/plugin.h"
extern "C" __attribute__((visibility("default"))) const nativegrad::BackendTable* nativegrad_plugin(
    uint64_t, nativegrad::ErrorMessage*) {
    static nativegrad::BackendTable table{};
    table.abi_hash = nativegrad::backend_abi_hash();
    return &table;
}`;

function run(command: string, words: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync(command, words, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout + stderr;
}

/** A plugin of these sources, whose table is empty: one of the same version is refused for that and nothing else. */
describe('the contract of addon and plugin', () => {
    const folder = useTemporaryFolder();

    function refusal(change: (sources: string) => void): string {
        const sources = join(folder(), 'native');
        for (const part of ['backend', 'ops', 'tensor'])
            cpSync(resolve('native', part), join(sources, part), { recursive: true });
        change(sources);
        const text = run('cmake', [
            '-D',
            `ROOT=${sources}`,
            '-P',
            join(sources, 'backend', 'abi_sources.cmake'),
        ]);
        const number = /0x[0-9a-f]{16}ull/.exec(text)?.[0] ?? assert.fail(text);
        writeFileSync(join(sources, 'plugin.cpp'), plugin);
        const library = join(folder(), 'plugin.so');
        const files = ['plugin.cpp', 'backend/abi.cpp'].map((name) => join(sources, name));
        const options = [
            '-std=c++17',
            '-O0',
            '-shared',
            '-fPIC',
            `-DNATIVEGRAD_ABI_SOURCES=${number}`,
            `-I${sources}`,
        ];
        run(process.env.CXX ?? 'c++', [...options, '-o', library, ...files]);
        const body = 'report(library.cuda.unavailableReason());';
        return String(reportOfChild(body, { NATIVEGRAD_CUDA: library, NATIVEGRAD_DEVICE: '' }));
    }

    function edit(path: string, from: RegExp, to: string): void {
        const text = readFileSync(path, 'utf8');
        assert.match(text, from);
        writeFileSync(path, text.replace(from, to));
    }

    it('holds for the same sources', () => {
        assert.match(
            refusal(() => undefined),
            /plugin\.so has no function for \w+/,
        );
    });

    it('is broken by formulas in another order, and by a code that moved', () => {
        const changes = [
            (sources: string) => {
                edit(
                    join(sources, 'ops', 'elementwise_table.def'),
                    /^(UNARY\(abs.*\n)(UNARY\(.*\n)/m,
                    '$2$1',
                );
            },
            (sources: string) => {
                edit(join(sources, 'ops', 'functions.h'), /argmax, argmin/, 'argmin, argmax');
            },
        ];
        for (const change of changes) {
            assert.match(refusal(change), /plugin\.so is of another version than the addon/);
        }
    });
});
