// Checks what the published package would offer to importers: publint, then arethetypeswrong.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

function binary(packageName) {
    const folder = join('node_modules', packageName);
    const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return join(folder, typeof bin === 'string' ? bin : Object.values(bin)[0]);
}

const checks = [
    [binary('publint'), '--strict'],
    // The package is ESM only, and require() of it works from the Node versions that `engines` names: therefore
    // "a require resolves to an ES module" is meant, and resolution as in Node 10, which knows no `exports`, is not
    // asked for. Everything else must be clean.
    [
        binary('@arethetypeswrong/cli'),
        '--pack',
        '.',
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
