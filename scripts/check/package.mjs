// Checks what the published package would offer to importers: publint, then arethetypeswrong.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

function binary(packageName) {
    const folder = join('node_modules', packageName);
    const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return join(folder, typeof bin === 'string' ? bin : Object.values(bin)[0]);
}

/** Without its scripts: what is checked here does not depend on the prebuilt addon. */
function pack(folder) {
    const words = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
    const { stdout, status } = spawnSync('npm', words, {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (status !== 0) throw new Error(`npm pack ended with code ${status}`);
    return join(folder, JSON.parse(stdout)[0].filename);
}

const folder = mkdtempSync(join(tmpdir(), 'nativegrad-pack-'));
const checks = [
    [binary('publint'), '--strict'],
    // The package is ESM only, and require() of it works from the Node versions that `engines` names: therefore
    // "a require resolves to an ES module" is meant, and resolution as in Node 10, which knows no `exports`, is not
    // asked for. Everything else must be clean.
    [
        binary('@arethetypeswrong/cli'),
        pack(folder),
        '--profile',
        'node16',
        '--ignore-rules',
        'cjs-resolves-to-esm',
    ],
];
for (const command of checks) {
    const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' });
    if (status !== 0) process.exitCode = 1;
}
rmSync(folder, { recursive: true });
