// Builds the native addon when it is missing or its sources changed; does nothing, fast, when it is fresh.
// Usage: node scripts/build/ensure_native.mjs [--force] [--verbose]
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { withBuildLock } from './build_lock.mjs';
import { missingTools } from './toolchain.mjs';

const parallelJobs = '2';

function say(line) {
    process.stderr.write(`${line}\n`);
}

function sourceFiles(root) {
    const tops = ['CMakeLists.txt', 'native'].map((name) => join(root, name));
    const files = [];
    for (const top of tops.filter((path) => existsSync(path))) {
        if (!statSync(top).isDirectory()) files.push(top);
        else {
            for (const entry of readdirSync(top, { recursive: true, withFileTypes: true })) {
                if (entry.isFile()) files.push(join(entry.parentPath ?? entry.path, entry.name));
            }
        }
    }
    return files.sort();
}

/** A short text that changes with every edit, addition or removal among the addon's sources. */
export function sourceSignature(root) {
    const hash = createHash('sha1');
    for (const path of sourceFiles(root)) {
        const { size, mtimeMs } = statSync(path);
        hash.update(`${path}\0${size}\0${mtimeMs}\n`);
    }
    return `${process.platform}-${process.arch} ${hash.digest('hex')}`;
}

/** Why the addon in `buildDir` has to be built, or undefined when it is fresh. */
function staleReason({ addon, stamp }, signature) {
    if (!existsSync(addon)) return 'no addon yet';
    if (!existsSync(stamp)) return 'unknown age';
    if (readFileSync(stamp, 'utf8') !== signature) return 'sources changed';
    return undefined;
}

function runCmakeJs(root, words, verbose) {
    let cmakeJs;
    try {
        const manifest = createRequire(join(root, 'package.json')).resolve('cmake-js/package.json');
        cmakeJs = join(dirname(manifest), 'bin', 'cmake-js');
    } catch {
        throw new Error('cmake-js is not installed: run `npm ci` first');
    }
    return new Promise((done, failed) => {
        const child = spawn(process.execPath, [cmakeJs, ...words], {
            cwd: root,
            stdio: ['ignore', verbose ? 2 : 'pipe', verbose ? 2 : 'pipe'],
        });
        const pieces = [];
        child.stdout?.on('data', (piece) => pieces.push(piece));
        child.stderr?.on('data', (piece) => pieces.push(piece));
        child.on('error', failed);
        child.on('close', (code) => done({ code, output: Buffer.concat(pieces).toString() }));
    });
}

async function compile({ root, buildDir, verbose, defines }) {
    const common = ['--out', buildDir, '--config', 'Release', ...defines.map((define) => `--CD${define}`)];
    const hadCache = existsSync(join(buildDir, 'CMakeCache.txt'));
    // Configuring each time costs little and lets CMake see files that came or went.
    let result = await runCmakeJs(root, ['configure', ...common], verbose);
    if (result.code !== 0 && hadCache) {
        // The cache is of another place, generator or compiler: begin anew.
        rmSync(join(buildDir, 'CMakeCache.txt'), { force: true });
        rmSync(join(buildDir, 'CMakeFiles'), { recursive: true, force: true });
        result = await runCmakeJs(root, ['configure', ...common], verbose);
    }
    if (result.code !== 0) return result;
    return runCmakeJs(root, ['build', ...common, '--parallel', parallelJobs], verbose);
}

/**
 * Makes sure that `<buildDir>/Release/nativegrad.node` exists and is newer than its sources.
 * Returns the addon's path; throws an Error whose message is ready to print.
 */
export async function ensureNative({ root, buildDir = join(root, 'build'), defines = [], force, verbose }) {
    const paths = {
        addon: join(buildDir, 'Release', 'nativegrad.node'),
        stamp: join(buildDir, 'native_stamp'),
    };
    if (!force && !staleReason(paths, sourceSignature(root))) return paths.addon;
    const missing = missingTools();
    if (missing.length > 0) throw new Error(missing.join('\n'));
    mkdirSync(buildDir, { recursive: true });
    const build = async () => {
        // Taken before the build: an edit made meanwhile is seen by the next call.
        const signature = sourceSignature(root);
        const reason = staleReason(paths, signature) ?? (force ? 'asked for' : undefined);
        if (!reason) return;
        say(`nativegrad: building the native addon (${reason}), this may take some minutes ...`);
        const start = Date.now();
        rmSync(paths.stamp, { force: true });
        const { code, output } = await compile({ root, buildDir, verbose, defines });
        if (code !== 0) throw new Error(`${output ?? ''}\nnativegrad: building the native addon failed.`);
        if (!existsSync(paths.addon)) throw new Error(`nativegrad: the build made no ${paths.addon}.`);
        writeFileSync(paths.stamp, signature);
        say(`nativegrad: addon built in ${((Date.now() - start) / 1000).toFixed(1)} s.`);
    };
    await withBuildLock(join(buildDir, 'native_lock'), build, (pid) =>
        say(`nativegrad: waiting for the build that process ${pid} runs ...`),
    );
    return paths.addon;
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
    const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
    const flags = process.argv.slice(2);
    try {
        await ensureNative({ root, force: flags.includes('--force'), verbose: flags.includes('--verbose') });
    } catch (error) {
        say(error.message);
        process.exitCode = 2;
    }
}
