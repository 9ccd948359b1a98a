// Writes prebuilds/<platform>-<arch>/ through prebuildify and binding.gyp, that is from the one CMake build.
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import prebuildify from 'prebuildify';
import { withBuildLock } from './build_lock.mjs';
import { findCommand } from './toolchain.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** node-gyp empties the build folder of where it runs, so it runs in a folder of its own. */
function makeStage() {
    const stage = join(root, 'build-prebuild');
    rmSync(stage, { recursive: true, force: true });
    mkdirSync(stage);
    for (const name of ['binding.gyp', 'package.json', 'scripts']) symlinkSync(join(root, name), join(stage, name));
    // The only target compiles nothing itself, so node-gyp needs no header and must not download any: this is
    // all that it reads of a Node installation.
    const include = join(stage, 'node', 'include', 'node');
    mkdirSync(include, { recursive: true });
    writeFileSync(join(include, 'common.gypi'), '{}\n');
    return stage;
}

async function writePrebuild() {
    const stage = makeStage();
    process.env.npm_config_nodedir = join(stage, 'node');
    rmSync(join(root, 'prebuilds', `${process.platform}-${process.arch}`), { recursive: true, force: true });
    await promisify(prebuildify)({
        cwd: stage,
        out: root,
        name: 'nativegrad',
        napi: true,
        strip: true,
        tagLibc: process.platform === 'linux',
        targets: [process.versions.node],
    });
    rmSync(stage, { recursive: true, force: true });
}

const missing = [['python3', 'python'], ['make']].filter((names) => !findCommand(names));
if (missing.length > 0) {
    const names = missing.map(([name]) => name).join(' ');
    process.stderr.write(
        `nativegrad: node-gyp, which prebuildify runs, needs ${names}; not found on PATH ` +
            `(Debian: sudo apt-get install ${names}).\n`,
    );
    process.exitCode = 2;
} else {
    await withBuildLock(join(root, 'build', 'prebuild_lock'), writePrebuild);
}
