import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { makeFolders } from '../../lib/io/make_folders.js';

describe('makeFolders', () => {
    let folder: string;
    beforeEach(() => {
        folder = mkdtempSync(join(tmpdir(), 'nativegrad-'));
    });
    afterEach(() => {
        rmSync(folder, { recursive: true, force: true });
    });

    it('makes what is missing, at once from several callers, and is content with what is there', async () => {
        const path = join(folder, 'a', 'b', 'c');
        await Promise.all([makeFolders(path), makeFolders(path), makeFolders(join(folder, 'a', 'x'))]);
        await makeFolders(path);
        assert.ok(statSync(path).isDirectory() && statSync(join(folder, 'a', 'x')).isDirectory());
    });

    it('fails where a file is in the way or the file system takes no folders', async () => {
        const file = join(folder, 'file');
        writeFileSync(file, '');
        await assert.rejects(makeFolders(file), { code: 'EEXIST' });
        await assert.rejects(makeFolders(join(file, 'x')), { code: 'ENOTDIR' });
        await assert.rejects(makeFolders('/proc/1/x/y'));
    });
});
