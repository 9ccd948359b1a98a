// CMake projects besides the addon: configure and build, with the output kept for errors.
import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findCommand } from './toolchain.mjs';

const parallelJobs = '2';

export function run(command, words, options = {}) {
    return new Promise((done, failed) => {
        const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
        const pieces = [];
        child.stdout.on('data', (piece) => pieces.push(piece));
        child.stderr.on('data', (piece) => pieces.push(piece));
        child.on('error', failed);
        child.on('close', (code) => done({ code, output: Buffer.concat(pieces).toString() }));
    });
}

/** Configures `source` into `buildDir`; a cache of another place or compiler is thrown away once. */
export async function cmakeConfigure(source, buildDir, defines) {
    const words = ['-S', source, '-B', buildDir];
    for (const [name, value] of Object.entries(defines)) words.push(`-D${name}=${value}`);
    const cache = join(buildDir, 'CMakeCache.txt');
    const hadCache = existsSync(cache);
    if (!hadCache && findCommand(['ninja'])) words.push('-G', 'Ninja');
    let result = await run('cmake', words);
    if (result.code !== 0 && hadCache) {
        rmSync(cache, { force: true });
        rmSync(join(buildDir, 'CMakeFiles'), { recursive: true, force: true });
        if (findCommand(['ninja'])) words.push('-G', 'Ninja');
        result = await run('cmake', words);
    }
    return result;
}

export function cmakeBuild(buildDir, targets = []) {
    const words = ['--build', buildDir, '--parallel', parallelJobs];
    if (targets.length > 0) words.push('--target', ...targets);
    return run('cmake', words);
}
