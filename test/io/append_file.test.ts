import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { appendWhole, emptyFile } from '../../lib/io/append_file.js';
import { FileWriteError } from '../../lib/io/file_write_error.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

describe('appending to a file', () => {
    const folder = useTemporaryFolder();

    it('adds to what is there, and names the file where it cannot', async () => {
        const path = join(folder(), 'history.jsonl');
        writeFileSync(path, 'old');
        await emptyFile(path);
        await appendWhole(path, 'one\n');
        await appendWhole(path, 'two\n');
        assert.equal(readFileSync(path, 'utf8'), 'one\ntwo\n');
        const missing = join(folder(), 'no', 'file');
        for (const action of [emptyFile(missing), appendWhole(missing, 'x')]) {
            await assert.rejects(action, (error) => {
                assert.ok(error instanceof FileWriteError);
                assert.equal(error.path, missing);
                return /^cannot write .*no\/file: ENOENT/.test(error.message);
            });
        }
    });

    it('empties and fills a device in place', async () => {
        await emptyFile('/dev/null');
        await appendWhole('/dev/null', 'x');
        await assert.rejects(appendWhole('/dev/full', 'x'), /cannot write \/dev\/full: ENOSPC/);
    });

    it('cuts off the part of a line that still fitted on the disk', () => {
        const path = join(folder(), 'history.jsonl');
        writeFileSync(path, 'a'.repeat(8000));
        const module = new URL('../../lib/io/append_file.ts', import.meta.url).href;
        const script = `const { appendWhole } = await import('${module}');
            await appendWhole('${path}', 'b'.repeat(1000)).catch((error) => console.log(error.message));`;
        // A limit of 8 KiB on files plays the full disk.
        const shell = `trap '' XFSZ; ulimit -f 8; exec "$0" --import tsx --input-type=module -e "$1"`;
        const output = execFileSync('bash', ['-c', shell, process.execPath, script], { encoding: 'utf8' });
        assert.match(output, /cannot write .*history\.jsonl: EFBIG/);
        assert.equal(readFileSync(path, 'utf8'), 'a'.repeat(8000));
    });
});
