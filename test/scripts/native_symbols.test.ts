import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../support/command.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

describe('native symbol check', () => {
    const folder = useTemporaryFolder();

    function compile(name: string, source: string): void {
        const objects = join(folder(), 'CMakeFiles/nativegrad.dir/native');
        mkdirSync(objects, { recursive: true });
        writeFileSync(join(folder(), name), source);
        execFileSync('c++', ['-c', join(folder(), name), '-o', join(objects, `${name}.o`)]);
    }

    function check() {
        return runCommand(process.execPath, ['scripts/check/native_symbols.mjs', folder()]);
    }

    it('accepts strong, static and anonymous functions', async () => {
        compile('add_avx2.cpp', 'static int one() { return 1; }\nint add_avx2() { return one(); }\n');
        compile(
            'add_scalar.cpp',
            'namespace { int one() { return 1; } }\nint add_scalar() { return one(); }\n',
        );
        const { code, stdout } = await check();
        assert.equal(code, 0);
        assert.match(stdout, /2 kernel objects, no weak symbol/);
    });

    for (const isa of ['scalar', 'avx2', 'avx512', 'avx512bf16']) {
        it(`refuses an inline function and a template in a file ending in _${isa}`, async () => {
            compile(
                `add_${isa}.cpp`,
                `inline int shared_helper() { return 1; }
                template <class T> T twice(T x) { return x + x; }
                int add() { return shared_helper() + twice(2); }`,
            );
            const { code, stderr } = await check();
            assert.equal(code, 1);
            assert.match(stderr, new RegExp(`add_${isa}\\.cpp\\.o exports 2 weak symbols`));
            assert.match(stderr, /W shared_helper\(\)/);
            assert.match(stderr, /W int twice<int>\(int\)/);
        });
    }

    it('leaves files without a suffix alone, but wants at least one with', async () => {
        compile('backend.cpp', 'inline int helper() { return 1; }\nint use() { return helper(); }\n');
        const { code, stderr } = await check();
        assert.equal(code, 1);
        assert.match(stderr, /no object file with an instruction-set suffix/);
    });
});
