import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { AddonLoadError, addonPath, findAddon, loadAddon, loadAddonFrom } from '../../lib/native/loader.js';
import { libcOfProgram, runtimeTarget } from '../../lib/native/prebuild_tags.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const target = { ...runtimeTarget(), platform: 'linux', arch: 'x64', libc: () => 'glibc' };

function put(root: string, path: string, content: string | Buffer = ''): string {
    const full = join(root, path);
    mkdirSync(resolve(full, '..'), { recursive: true });
    writeFileSync(full, content);
    return full;
}

function failure(work: () => unknown): AddonLoadError {
    try {
        work();
    } catch (error) {
        if (error instanceof AddonLoadError) return error;
        throw error;
    }
    throw new assert.AssertionError({ message: 'the addon was found' });
}

/** A copy of the addon whose ELF header names another processor. */
function forAnotherProcessor(addon: string): Buffer {
    const bytes = readFileSync(addon);
    const machineOffset = 18;
    const aarch64 = 183;
    const x86 = 62;
    bytes.writeUInt16LE(bytes.readUInt16LE(machineOffset) === x86 ? aarch64 : x86, machineOffset);
    return bytes;
}

describe('native loader', () => {
    const folder = useTemporaryFolder();

    it('loads the addon of this checkout', () => {
        const addon = loadAddon();
        assert.equal(typeof addon, 'object');
        assert.equal(loadAddonFrom({ binary: addonPath() }), addon);
    });

    it('reads the C library off the program', () => {
        const named = (text: string): string => libcOfProgram(put(folder(), 'program', `\x7fELF\0${text}\0`));
        assert.equal(named('/lib64/ld-linux-x86-64.so.2'), 'glibc');
        assert.equal(named('/lib/ld-musl-x86_64.so.1'), 'musl');
        assert.equal(named('/libexec/ld-elf.so.1'), '');
        assert.equal(libcOfProgram(join(folder(), 'missing')), '');
        const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
        const reported = process.platform !== 'linux' ? '' : header?.glibcVersionRuntime ? 'glibc' : 'musl';
        assert.equal(runtimeTarget().libc(), reported);
    });

    it('says that a build is running, as long as it is', () => {
        const root = folder();
        put(root, 'CMakeLists.txt');
        const missing = (): string => failure(() => findAddon({ root, target })).message;
        assert.match(missing(), /Build it: npm run build:native/);
        put(root, 'build/native_lock', String(process.pid));
        assert.match(
            missing(),
            new RegExp(`A build of it is running \\(process ${process.pid}\\): wait for its end`),
        );
        // Of a builder that died.
        const { pid } = spawnSync(process.execPath, ['-e', '']);
        for (const owner of [String(pid), '', 'x']) {
            put(root, 'build/native_lock', owner);
            assert.match(missing(), /Build it: npm run build:native/);
        }
    });

    it('prefers the local build to a prebuild', () => {
        const local = put(folder(), 'build/Release/nativegrad.node');
        put(folder(), 'prebuilds/linux-x64/nativegrad.node');
        assert.equal(findAddon({ root: folder(), target }), local);
    });

    it('takes the prebuild with the most specific tags that fit', () => {
        put(folder(), 'prebuilds/linux-x64/nativegrad.node');
        put(folder(), 'prebuilds/linux-x64/nativegrad.musl.node');
        put(folder(), 'prebuilds/linux-arm64/nativegrad.glibc.node');
        const glibc = put(folder(), 'prebuilds/linux-x64/nativegrad.napi.glibc.node');
        assert.equal(findAddon({ root: folder(), target }), glibc);
    });

    it('reads a prebuild folder that serves several architectures', () => {
        const shared = put(folder(), 'prebuilds/darwin-arm64+x64/nativegrad.node');
        assert.equal(findAddon({ root: folder(), target: { ...target, platform: 'darwin' } }), shared);
    });

    it('lets NATIVEGRAD_BINARY name the file', () => {
        put(folder(), 'build/Release/nativegrad.node');
        const own = put(folder(), 'elsewhere/own.node');
        assert.equal(findAddon({ root: folder(), binary: own, target }), own);
    });

    it('does not look further when NATIVEGRAD_BINARY names nothing', () => {
        put(folder(), 'build/Release/nativegrad.node');
        const binary = join(folder(), 'no_such.node');
        const { message, steps } = failure(() => findAddon({ root: folder(), binary, target }));
        assert.deepEqual(steps, [{ path: binary, found: 'missing (named by NATIVEGRAD_BINARY)' }]);
        assert.match(message, /Unset NATIVEGRAD_BINARY/);
    });

    it('says that NATIVEGRAD_BINARY names a folder', () => {
        const { message } = failure(() => findAddon({ root: folder(), binary: folder(), target }));
        assert.match(message, /: not a file \(named by NATIVEGRAD_BINARY\)/);
    });

    it('lists every place and the build command in a checkout without a build', () => {
        put(folder(), 'CMakeLists.txt');
        const { message } = failure(() => findAddon({ root: folder(), target }));
        assert.equal(
            message,
            [
                '[nativegrad] no native addon was found.',
                `Looked for an addon for linux, x64, glibc, Node ${target.node}, ABI ${target.abi}:`,
                `  ${folder()}/build/Release/nativegrad.node: missing`,
                `  ${folder()}/prebuilds/linux-x64: nothing there`,
                'Build it: npm run build:native (needs CMake and a C++17 compiler).',
            ].join('\n'),
        );
    });

    it('says which platforms an installed package holds', () => {
        put(folder(), 'prebuilds/darwin-arm64/nativegrad.node');
        put(folder(), 'prebuilds/win32-x64/nativegrad.node');
        const { message } = failure(() => findAddon({ root: folder(), target }));
        assert.match(message, /prebuilds\/linux-x64: only for darwin-arm64, win32-x64/);
        assert.match(message, /npm install --force nativegrad/);
    });

    it('names prebuilds whose tags do not fit', () => {
        for (const name of ['nativegrad.musl.node', 'nativegrad.abi1.node', 'nativegrad.electron.node']) {
            put(folder(), `prebuilds/linux-x64/${name}`);
        }
        const { message } = failure(() => findAddon({ root: folder(), target }));
        assert.match(
            message,
            /linux-x64: nativegrad\.abi1\.node, nativegrad\.electron\.node, nativegrad\.musl\.node: none fits/,
        );
    });

    it('gives the message of the system for a corrupt file and does not pass over it', () => {
        const local = put(folder(), 'build/Release/nativegrad.node', 'not an addon');
        put(folder(), 'prebuilds/linux-x64/nativegrad.node');
        const error = failure(() => loadAddonFrom({ root: folder(), target }));
        assert.match(error.message, /found but could not be loaded/);
        assert.equal(error.steps.length, 1);
        assert.equal(error.steps[0].path, local);
        assert.match(
            error.steps[0].found,
            /^file, but it failed to load: .*(too short|invalid ELF|not a mach-o)/s,
        );
        assert.ok(error.cause instanceof Error);
    });

    if (process.platform === 'linux') {
        it('gives the message of the system for a file of another processor', () => {
            put(folder(), 'prebuilds/linux-x64/nativegrad.node', forAnotherProcessor(addonPath()));
            const { message } = failure(() => loadAddonFrom({ root: folder(), target }));
            assert.match(message, /failed to load: .*(cannot open shared object file|wrong ELF|ELF machine)/);
        });
    }

    it('loads a prebuild when there is no local build', () => {
        mkdirSync(join(folder(), 'prebuilds/linux-x64'), { recursive: true });
        copyFileSync(addonPath(), join(folder(), 'prebuilds/linux-x64/nativegrad.glibc.node'));
        assert.equal(typeof loadAddonFrom({ root: folder(), target }), 'object');
    });

    it('works in two worker threads at once', async () => {
        const loader = pathToFileURL(resolve('lib/native/loader.ts')).href;
        const code = `
            const { parentPort } = require('node:worker_threads');
            import('tsx/esm/api')
                .then(({ register }) => register())
                .then(() => import('${loader}'))
                .then(({ loadAddon }) => parentPort.postMessage(Object.keys(loadAddon()).length));`;
        const counts = await Promise.all(
            [0, 1].map(
                () =>
                    new Promise<number>((done, failed) => {
                        const worker = new Worker(code, { eval: true });
                        worker.once('message', done);
                        worker.once('error', failed);
                    }),
            ),
        );
        const expected = Object.keys(loadAddon() as object).length;
        assert.deepEqual(counts, [expected, expected]);
    });

    it('reads NATIVEGRAD_BINARY of the environment', () => {
        const script = `import('./lib/native/loader.ts').then((m) => m.loadAddon()).catch((e) => console.log(e.message))`;
        const output = execFileSync(process.execPath, ['--import', 'tsx', '-e', script], {
            encoding: 'utf8',
            env: { ...process.env, NATIVEGRAD_BINARY: '/no/such/file.node' },
        });
        assert.match(output, /\/no\/such\/file\.node: missing \(named by NATIVEGRAD_BINARY\)/);
    });
});
