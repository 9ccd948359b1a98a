import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createRunFolder, writeJson } from '../../lib/cli/run_folder.js';
import type { RunFolderOptions } from '../../lib/cli/run_folder.js';
import { UsageError } from '../../lib/cli/usage_error.js';

const NOW = new Date(2026, 0, 31, 23, 59, 8);

describe('run folder', () => {
    let outputDir: string;
    beforeEach(() => {
        outputDir = mkdtempSync(join(tmpdir(), 'nativegrad-'));
    });
    afterEach(() => {
        rmSync(outputDir, { recursive: true, force: true });
    });

    function create(options: Partial<RunFolderOptions> = {}): ReturnType<typeof createRunFolder> {
        const defaults = {
            outputDir,
            experimentName: undefined,
            runName: undefined,
            architecture: 'mlp',
            now: NOW,
        };
        return createRunFolder({ ...defaults, ...options });
    }

    function isUsageError(pattern: RegExp): (error: unknown) => boolean {
        return (error) => {
            assert.ok(error instanceof UsageError, String(error));
            assert.match(error.message, pattern);
            return true;
        };
    }

    it('is named after time and architecture, and never used twice', async () => {
        const folders = await Promise.all([create(), create(), create()]);
        assert.deepEqual(folders.map(({ name }) => name).sort(), [
            '20260131_235908_mlp',
            '20260131_235908_mlp_2',
            '20260131_235908_mlp_3',
        ]);
        assert.equal(readdirSync(outputDir).length, 3);
    });

    it('stands in the experiment, under the given name', async () => {
        const { path, file } = await create({ experimentName: 'tries', runName: 'first' });
        assert.equal(path, join(outputDir, 'tries', 'first'));
        assert.equal(file('a.json'), join(path, 'a.json'));
    });

    it('refuses a given name that exists and leaves its content alone', async () => {
        const { file } = await create({ runName: 'first' });
        writeFileSync(file('config.json'), 'old');
        await assert.rejects(
            create({ runName: 'first' }),
            isUsageError(/first exists already; choose another --run_name/),
        );
        assert.equal(readFileSync(file('config.json'), 'utf8'), 'old');
    });

    it('says why a folder cannot be made', async () => {
        const file = join(outputDir, 'file');
        writeFileSync(file, '');
        await assert.rejects(
            create({ outputDir: file }),
            isUsageError(/^--output_dir: cannot create the output folder .*\/file is a file, not a folder$/),
        );
        await assert.rejects(
            create({ outputDir: join(file, 'x') }),
            isUsageError(/^--output_dir: cannot create .*\/file\/x: .*\/file is a file, not a folder$/),
        );
        await assert.rejects(
            create({ outputDir: '/proc/1/x' }),
            isUsageError(/cannot create the output folder/),
        );
        assert.deepEqual(readdirSync(outputDir), ['file']);
    });

    it('writes JSON whole or not at all', async () => {
        const { file, path } = await create();
        await writeJson(file('metrics.json'), { accuracy: 0.5, loss: NaN });
        assert.deepEqual(JSON.parse(readFileSync(file('metrics.json'), 'utf8')), {
            accuracy: 0.5,
            loss: null,
        });
        await assert.rejects(writeJson(file('no/such.json'), 1), /^FileWriteError: cannot write .*ENOENT/);
        assert.deepEqual(readdirSync(path), ['metrics.json']);
    });
});
