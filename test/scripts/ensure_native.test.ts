import assert from 'node:assert/strict';
import {
    cpSync,
    existsSync,
    mkdirSync,
    readFileSync,
    renameSync,
    rmSync,
    statSync,
    symlinkSync,
    utimesSync,
    writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { runCommand } from '../support/command.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const cmakeLists = `
cmake_minimum_required(VERSION 3.18)
project(trial LANGUAGES CXX)
file(GLOB sources CONFIGURE_DEPENDS native/*.cpp)
add_library(nativegrad MODULE \${sources})
set_target_properties(nativegrad PROPERTIES PREFIX "" SUFFIX ".node")
`;

/** A tiny project with the real build step and one source file. */
function makeProject(root: string): void {
    mkdirSync(join(root, 'native'), { recursive: true });
    cpSync('scripts/build', join(root, 'scripts/build'), { recursive: true });
    symlinkSync(resolve('node_modules'), join(root, 'node_modules'));
    writeFileSync(
        join(root, 'package.json'),
        '{ "name": "trial", "version": "0.0.0", "type": "module", "binary": { "napi_versions": [8] } }',
    );
    writeFileSync(join(root, 'CMakeLists.txt'), cmakeLists);
    writeFileSync(join(root, 'native/first.cpp'), 'int first() { return 1; }\n');
}

function build(root: string, env: NodeJS.ProcessEnv = process.env) {
    return runCommand(process.execPath, ['scripts/build/ensure_native.mjs'], { cwd: root, env });
}

function addonOf(root: string): string {
    return join(root, 'build/Release/nativegrad.node');
}

describe('ensure_native', () => {
    const folder = useTemporaryFolder();

    beforeEach(() => makeProject(folder()));

    it('builds what is missing, says so, and then does nothing', async () => {
        const first = await build(folder());
        assert.equal(first.code, 0, first.stderr);
        assert.match(first.stderr, /building the native addon \(no addon yet\)/);
        assert.equal(first.stdout, '');
        const { mtimeMs } = statSync(addonOf(folder()));
        assert.deepEqual(await build(folder()), { code: 0, stdout: '', stderr: '' });
        assert.equal(statSync(addonOf(folder())).mtimeMs, mtimeMs);
    });

    it('builds again after an edit, an older file put back, a new file and a removed one', async () => {
        await build(folder());
        const source = join(folder(), 'native/first.cpp');
        const second = join(folder(), 'native/second.cpp');
        const changes = [
            () => writeFileSync(source, 'int first() { return 2; }\n'),
            () => utimesSync(source, 1e9, 1e9),
            () => writeFileSync(second, 'int second() { return 2; }\n'),
            () => rmSync(second),
        ];
        for (const change of changes) {
            change();
            const { code, stderr } = await build(folder());
            assert.equal(code, 0, stderr);
            assert.match(stderr, /sources changed/);
        }
        assert.equal((await build(folder())).stderr, '');
    });

    it("shows the compiler's output and exits 2 when a source is wrong, and builds once it is right", async () => {
        writeFileSync(join(folder(), 'native/first.cpp'), 'int first() { return nonsense; }\n');
        for (let attempt = 0; attempt < 2; attempt++) {
            const { code, stderr } = await build(folder());
            assert.equal(code, 2);
            assert.match(stderr, /nonsense.*not declared|undeclared identifier 'nonsense'/);
            assert.match(stderr, /building the native addon failed/);
        }
        writeFileSync(join(folder(), 'native/first.cpp'), 'int first() { return 1; }\n');
        assert.equal((await build(folder())).code, 0);
    });

    it('names the packages to install where tools are missing', async () => {
        const { code, stderr } = await build(folder(), { PATH: join(folder(), 'scripts') });
        assert.equal(code, 2);
        for (const line of [/CMake is needed/, /a C\+\+17 compiler is needed/, /a build tool is needed/]) {
            assert.match(stderr, line);
        }
        assert.match(stderr, /sudo apt-get install cmake/);
        assert.match(stderr, /sudo dnf install gcc-c\+\+/);
        assert.match(stderr, /xcode-select --install/);
        assert.ok(!existsSync(join(folder(), 'build')));
    });

    it('asks for npm ci where the build tools of the package are missing', async () => {
        rmSync(join(folder(), 'node_modules'));
        const { code, stderr } = await build(folder());
        assert.equal(code, 2);
        assert.match(stderr, /run `npm ci` first/);
    });

    it('lets two builds at once wait for each other', async () => {
        const results = await Promise.all([build(folder()), build(folder()), build(folder())]);
        assert.deepEqual(
            results.map(({ code }) => code),
            [0, 0, 0],
        );
        const builders = results.filter(({ stderr }) => stderr.includes('addon built'));
        assert.equal(builders.length, 1);
        assert.ok(!existsSync(join(folder(), 'build/native_lock')));
    });

    it('takes over the lock of a builder that died', async () => {
        const dead = await runCommand(process.execPath, ['-p', 'process.pid']);
        mkdirSync(join(folder(), 'build'));
        writeFileSync(join(folder(), 'build/native_lock'), dead.stdout.trim());
        const results = await Promise.all([build(folder()), build(folder())]);
        assert.deepEqual(
            results.map(({ code }) => code),
            [0, 0],
        );
    });

    it('builds after the project moved to another folder', async () => {
        const before = join(folder(), 'before');
        const after = join(folder(), 'after');
        makeProject(before);
        assert.equal((await build(before)).code, 0);
        renameSync(before, after);
        const { code, stderr } = await build(after);
        assert.equal(code, 0, stderr);
        assert.match(readFileSync(join(after, 'build/CMakeCache.txt'), 'utf8'), new RegExp(after));
    });

    it('works with make where there is no ninja', async () => {
        const tools = join(folder(), 'tools');
        mkdirSync(tools);
        const folders = (process.env.PATH ?? '').split(delimiter);
        for (const tool of [
            'cmake',
            'c++',
            'g++',
            'cc',
            'gcc',
            'make',
            'as',
            'ld',
            'ar',
            'ccache',
            'sh',
            'uname',
        ]) {
            const found = folders.map((place) => join(place, tool)).find((path) => existsSync(path));
            if (found) symlinkSync(found, join(tools, tool));
        }
        const { code, stderr } = await build(folder(), { ...process.env, PATH: tools });
        assert.equal(code, 0, stderr);
        assert.ok(existsSync(join(folder(), 'build/Makefile')), dirname(process.execPath));
    });
});
