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
            assert.match(error.message, /do not lie in .* cut short/);
            return true;
        });
    });

    /** The message behind the path, of a file that is refused with this code. */
    async function refusal(path: string, code: string): Promise<string> {
        const error: unknown = await readSafetensorsFile(path).then(
            () => undefined,
            (reason: unknown) => reason,
        );
        assert.ok(error instanceof SafetensorsError, String(error));
        assert.equal(error.code, code, error.message);
        const prefix = `[safetensors] ${path}: `;
        assert.ok(error.message.startsWith(prefix), error.message);
        return error.message.slice(prefix.length);
    }

    it('says what a file of another kind is, what was expected and how to mend it', async () => {
        const kinds: [string | Buffer, RegExp][] = [
            ['', /^is empty, expected a safetensors file; .*copy it again$/],
            ['\x89PNG\r\n\x1a\n0000', /^is a PNG image, expected a safetensors file; give a/],
            ['PK\x03\x04 rest of it', /^is a ZIP archive.*PyTorch.*safetensors\.torch\.save_file$/],
            ['\x80\x02}q\x00(X\x01\x00', /^is a Python pickle/],
            ['\x89HDF\r\n\x1a\n', /^is an HDF5 file.*Keras/],
            ['version https://git-lfs.github.com/spec/v1', /^is a Git LFS pointer.*git lfs pull/],
            [Buffer.from('grüße und Küsse, lang genug: '.repeat(9)), /^is a text, expected/],
            ['{ "a": {"epochs": 3 } }', /^is a JSON text, expected/],
            ['hello', /^is a text, expected/],
            ['\x00\x00\x08\x03\x00\x00\xea\x60{', /^is an IDX file, like MNIST's images/],
            ['\x01\x02\x03\x04\x00\x00\x00\x00x', /first bytes are 010203040000000078\), expected/],
        ];
        for (const [content, pattern] of kinds) {
            const path = join(folder, 'model.safetensors');
            writeFileSync(path, typeof content === 'string' ? Buffer.from(content, 'latin1') : content);
            assert.match(await refusal(path, 'not-safetensors'), pattern);
        }
        const picture = join(folder, 'curves.png');
        writeFileSync(picture, '\x89PNG\r\n\x1a\n', 'latin1');
        const hint = `did you mean ${join(folder, 'model.safetensors')}?`;
        assert.ok(
            (await refusal(picture, 'not-safetensors')).endsWith(`expected a safetensors file; ${hint}`),
        );
        assert.equal(await refusal(join(folder, 'missing'), 'file'), `no such file; ${hint}`);
        // With a header's length and `{` it is a safetensors file, only a damaged one.
        const path = join(folder, 'cut.safetensors');
        writeFileSync(path, readFileSync(GOLDEN).subarray(0, 9));
        assert.match(await refusal(path, 'header-out-of-file'), /the file is cut short/);
    });

    it('names the model inside a folder', async () => {
        assert.equal(
            await refusal(folder, 'not-safetensors'),
            'is a folder, expected a safetensors file; there is none inside',
        );
        for (const name of ['a.safetensors', 'model.safetensors']) {
            writeFileSync(join(folder, name), '');
            assert.ok(
                (await refusal(folder, 'not-safetensors')).endsWith(`did you mean ${join(folder, name)}?`),
            );
        }
    });

    it('refuses a missing file, a pipe and a device without waiting', async () => {
        const pipe = join(folder, 'pipe');
        execFileSync('mkfifo', [pipe]);
        assert.equal(await refusal(join(folder, 'missing'), 'file'), 'no such file');
        for (const path of [pipe, '/dev/zero']) {
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
        await assert.rejects(
            writeFileAtomic(taken, 'text'),
            /^FileWriteError: cannot write .*taken: E\w+: [^,/]+$/,
        );
        // No word of the temporary file.
        const missing = join(folder, 'no', 'such');
        await assert.rejects(
            writeFileAtomic(join(missing, 'file'), 'text'),
            new RegExp(`^FileWriteError: cannot write ${missing}/file: ENOENT: no such folder ${missing}$`),
        );
        assert.deepEqual(readdirSync(folder).sort(), ['model.safetensors', 'taken']);
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
