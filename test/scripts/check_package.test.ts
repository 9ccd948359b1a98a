import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { useTemporaryFolder } from '../support/temporary_folder.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

describe('npm pack', () => {
    const folder = useTemporaryFolder();

    function pack(): { status: number | null; stderr: string; packed: string[] } {
        const { status, stderr } = spawnSync('npm', ['pack', '--no-audit', '--no-fund'], {
            cwd: folder(),
            encoding: 'utf8',
        });
        return { status, stderr, packed: readdirSync(folder()).filter((name) => name.endsWith('.tgz')) };
    }

    it('refuses a package without prebuilt addon or compiled library, and names the command', () => {
        for (const name of ['package.json', 'scripts/build']) {
            cpSync(join(ROOT, name), join(folder(), name), { recursive: true });
        }
        const empty = pack();
        assert.notEqual(empty.status, 0);
        assert.match(
            empty.stderr,
            /^nativegrad: not packed: prebuilds\/.* is missing; run `npm run prebuild` first$/m,
        );
        assert.match(
            empty.stderr,
            /^nativegrad: not packed: dist\/js\/index\.js is missing; run `npm run build:dist`/m,
        );
        assert.deepEqual(empty.packed, []);

        mkdirSync(join(folder(), 'dist', 'js'), { recursive: true });
        writeFileSync(join(folder(), 'dist', 'js', 'index.js'), '');
        mkdirSync(join(folder(), 'prebuilds', 'linux-x64'), { recursive: true });
        const half = pack();
        assert.notEqual(half.status, 0);
        assert.match(half.stderr, /npm run prebuild/);
        assert.doesNotMatch(half.stderr, /build:dist/);

        writeFileSync(join(folder(), 'prebuilds', 'linux-x64', 'nativegrad.node'), '');
        const whole = pack();
        assert.equal(whole.status, 0, whole.stderr);
        assert.equal(whole.packed.length, 1);
    });
});
