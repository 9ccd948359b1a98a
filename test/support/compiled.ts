import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { addonPath } from '../../lib/native/loader.js';

const root = resolve(import.meta.dirname, '..', '..');
// Of this process: several runs of the suite may go side by side.
const folder = join(root, 'build', `test_js_${process.pid}`);
let compiled = false;

/**
 * URL of the library as plain JavaScript, for worker threads and child processes that should start fast. Compiled once per
 * run; the addon is the one under test, by `compiledEnvironment`.
 */
export function compiledLibrary(): string {
    if (!compiled) {
        const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
        const arguments_ = [
            tsc,
            '-p',
            join(root, 'tsconfig.build.json'),
            '--outDir',
            folder,
            '--declaration',
            'false',
        ];
        process.once('exit', () => {
            rmSync(folder, { recursive: true, force: true });
        });
        const { status, stdout } = spawnSync(process.execPath, arguments_, { encoding: 'utf8' });
        if (status !== 0 || !existsSync(join(folder, 'index.js'))) throw new Error(`tsc failed: ${stdout}`);
        compiled = true;
    }
    return pathToFileURL(join(folder, 'index.js')).href;
}

/** Environment in which the compiled library finds the addon under test. */
export function compiledEnvironment(): NodeJS.ProcessEnv {
    return { ...process.env, NATIVEGRAD_BINARY: addonPath() };
}
