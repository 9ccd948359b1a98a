import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
    mkdtempSync,
    readdirSync,
    readFileSync,
    rmSync,
    truncateSync,
    writeFileSync,
    mkdirSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { writeFileAtomic } from '../../lib/io/atomic_file.js';
import { SafetensorsError } from '../../lib/io/safetensors.js';
import { readSafetensorsFile, writeSafetensorsFile } from '../../lib/io/safetensors_file.js';

const GOLDEN = new URL('../golden/safetensors/every_dtype.safetensors', import.meta.url);

describe('safetensors files', () => {
    let folder: string;
    beforeEach(() => {
        folder = mkdtempSync(join(tmpdir(), 'nativegrad-'));
    });
    afterEach(() => {
        rmSync(folder, { recursive: true, force: true });
    });

    it('writes what it reads, byte for byte, and leaves no temporary file', async () => {
        const content = await readSafetensorsFile(GOLDEN.pathname);
        const path = join(folder, 'model.safetensors');
        writeFileSync(path, 'old');
        await writeSafetensorsFile(path, content.entries, Object.fromEntries(content.metadata));
        assert.deepEqual(readFileSync(path), readFileSync(GOLDEN));
        assert.deepEqual(readdirSync(folder), ['model.safetensors']);
    });

    it('gives each tensor memory of its own', async () => {
        const { entries } = await readSafetensorsFile(GOLDEN.pathname);
        for (const { data } of entries) {
            assert.equal(data.byteOffset, 0);
            assert.equal(data.buffer.byteLength, data.length);
        }
    });

    it('names the file and the rule for a damaged file', async () => {
        const path = join(folder, 'cut.safetensors');
        writeFileSync(path, readFileSync(GOLDEN));
        truncateSync(path, 800);
        await assert.rejects(readSafetensorsFile(path), (error: unknown) => {
            assert.ok(error instanceof SafetensorsError);
            assert.ok(error.message.includes(path));
            assert.match(error.message, /do not lie in/);
            return true;
        });
    });

    it('refuses a missing file, a folder, a pipe and a device without waiting', async () => {
        const pipe = join(folder, 'pipe');
        execFileSync('mkfifo', [pipe]);
        for (const path of [join(folder, 'missing'), folder, pipe, '/dev/zero']) {
            await assert.rejects(readSafetensorsFile(path), (error: unknown) => {
                assert.ok(error instanceof SafetensorsError);
                assert.equal(error.code, 'file');
                assert.ok(error.message.includes(path));
                return true;
            });
        }
    });

    it('leaves the old file and no temporary one where writing fails', async () => {
        const path = join(folder, 'model.safetensors');
        writeFileSync(path, 'old');
        const bad = [{ name: 'w', dtype: 'uint8' as const, shape: [3], data: new Uint8Array(2) }];
        await assert.rejects(writeSafetensorsFile(path, bad), SafetensorsError);
        assert.equal(readFileSync(path, 'utf8'), 'old');
        // A folder in the way makes the rename fail after the temporary file was written.
        const taken = join(folder, 'taken');
        mkdirSync(taken);
        await assert.rejects(writeFileAtomic(taken, 'text'), /cannot write .*taken/);
        assert.deepEqual(readdirSync(folder).sort(), ['model.safetensors', 'taken']);
        await assert.rejects(writeFileAtomic(join(folder, 'no/such/file'), 'text'), /ENOENT/);
    });

    it('keeps the old file where the system stops the write half-way', () => {
        const path = join(folder, 'model.safetensors');
        writeFileSync(path, 'old');
        const module = new URL('../../lib/io/atomic_file.ts', import.meta.url).href;
        const script = `const { writeFileAtomic } = await import('${module}');
            await writeFileAtomic('${path}', [new Uint8Array(100), new Uint8Array(100_000)]).then(
                () => console.log('written'), (error) => console.log(error.message));`;
        // A limit of 8 KiB on files plays the full disk: the write after the limit fails with EFBIG.
        const shell = `trap '' XFSZ; ulimit -f 8; exec "$0" --import tsx --input-type=module -e "$1"`;
        const output = execFileSync('bash', ['-c', shell, process.execPath, script], { encoding: 'utf8' });
        assert.match(output, /cannot write .*model\.safetensors: EFBIG/);
        assert.equal(readFileSync(path, 'utf8'), 'old');
        assert.deepEqual(readdirSync(folder), ['model.safetensors']);
    });
});
