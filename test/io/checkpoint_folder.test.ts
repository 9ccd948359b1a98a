import assert from 'node:assert/strict';
import {
    closeSync,
    openSync,
    readdirSync,
    readFileSync,
    renameSync,
    rmSync,
    symlinkSync,
    unlinkSync,
    writeFileSync,
    writeSync,
} from 'node:fs';
import { join } from 'node:path';

import { CheckpointFolder, type FolderRules } from '../../lib/io/checkpoint/checkpoint_folder.js';
import { readCheckpoint, verifyCheckpoint } from '../../lib/io/checkpoint/read_checkpoint.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

describe('CheckpointFolder', () => {
    const folder = useTemporaryFolder();
    let warnings: string[] = [];
    beforeEach(() => (warnings = []));
    const folderOf = (rules: Partial<FolderRules> = {}): CheckpointFolder =>
        new CheckpointFolder(folder(), {
            keepLast: 2,
            keepBest: 0,
            badness: () => Infinity,
            warn: (text) => warnings.push(text),
            ...rules,
        });
    const filesOf = (value: number) => ({ 'a.bin': [new Uint8Array(100).fill(value)] });
    const read = async (path: string): Promise<number | undefined> =>
        (await readCheckpoint(path)).files.get('a.bin')?.[0];
    const names = (): string[] => readdirSync(folder()).sort();

    /** Lets the system refuse to read a file, for a while: running as root, no permission would. */
    function hide(name: string): () => void {
        const path = join(folder(), name);
        renameSync(path, `${path}.hidden`);
        symlinkSync(path, path);
        return () => {
            unlinkSync(path);
            renameSync(`${path}.hidden`, path);
        };
    }

    it('are verified piece by piece, however large their files are', async () => {
        const large = new Uint8Array(64 << 20);
        const path = await folderOf().save(1, { 'a.bin': [large] });
        const before = process.memoryUsage().arrayBuffers;
        let most = 0;
        const timer = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers)), 1);
        await verifyCheckpoint(path).finally(() => clearInterval(timer));
        assert.ok(most > 0 && most - before < 16 << 20, `${most - before} bytes`);
        const file = openSync(join(path, 'a.bin'), 'r+');
        writeSync(file, Uint8Array.of(1), 0, 1, large.length - 1);
        closeSync(file);
        await assert.rejects(verifyCheckpoint(path), { code: 'damaged' });
    });

    it('keeps what cannot be read for now, and counts on above it', async () => {
        const checkpoints = folderOf();
        for (const step of [1, 2, 3]) await checkpoints.save(step, filesOf(step));
        const show = hide('step-3/MANIFEST.json');
        await checkpoints.save(2, filesOf(12));
        assert.deepEqual(names(), ['step-2', 'step-2.1', 'step-3']);
        show();
        assert.equal(await checkpoints.load(read), 12);
        assert.deepEqual(warnings, []);
        assert.equal(await read(join(folder(), 'step-3')), 3);
    });

    it('goes back past what cannot be read for now with a warning, and removes it later neither', async () => {
        for (const file of ['MANIFEST.json', 'a.bin']) {
            const checkpoints = folderOf({ keepLast: 1 });
            const [older, newer] = [1, 2];
            for (const step of [older, newer]) await folderOf().save(step, filesOf(step));
            const show = hide(`step-${newer}/${file}`);
            assert.equal(await checkpoints.load(read), older);
            assert.match(
                warnings.join(),
                new RegExp(`${file} cannot be read: ELOOP.*going back to .*${older}$`),
            );
            show();
            await checkpoints.save(older, filesOf(99));
            assert.deepEqual(names(), [`step-${newer}`, `step-${older}.1`].sort());
            assert.equal(await folderOf().load(read), 99);
            for (const name of names()) rmSync(join(folder(), name), { recursive: true });
            warnings = [];
        }
    });

    it('says of a folder where nothing can be read for now that it is so', async () => {
        await folderOf().save(1, filesOf(1));
        const show = hide('step-1/MANIFEST.json');
        await assert.rejects(folderOf().load(read), {
            code: 'unreadable',
            message: /holds no good checkpoint/,
        });
        show();
        assert.equal(await folderOf().load(read), 1);
    });

    it('says so before it removes a damaged one', async () => {
        const checkpoints = folderOf();
        for (const step of [1, 2]) await checkpoints.save(step, filesOf(step));
        writeFileSync(join(folder(), 'step-1', 'MANIFEST.json'), '{}');
        writeFileSync(join(folder(), 'step-2', 'a.bin'), '');
        await assert.rejects(checkpoints.load(read), { code: 'damaged' });
        for (const step of [3, 4]) await checkpoints.save(step, filesOf(step));
        assert.deepEqual(names(), ['step-3', 'step-4']);
        assert.equal(warnings.length, 2);
        for (const text of warnings) assert.match(text, /(step-1.*MANIFEST|step-2.*a\.bin).*; it is removed/);
    });

    it('saves one after the other in the order of the calls, whichever is ready first', async () => {
        const checkpoints = folderOf({ keepLast: 9 });
        const late = new Promise<ReturnType<typeof filesOf>>((ready) => setTimeout(ready, 50, filesOf(1)));
        const saves = [late, filesOf(2), Promise.reject(new Error('no state')), filesOf(4)];
        const done = await Promise.allSettled(saves.map((files, i) => checkpoints.save(i + 1, files)));
        assert.deepEqual(
            done.map((save) => (save.status === 'fulfilled' ? save.value : String(save.reason))),
            [join(folder(), 'step-1'), join(folder(), 'step-2'), 'Error: no state', join(folder(), 'step-4')],
        );
        const sequences = [1, 2, 4].map((step) => {
            const text = readFileSync(join(folder(), `step-${step}`, 'MANIFEST.json'), 'utf8');
            return /"sequence":(\d+)/.exec(text)?.[1];
        });
        assert.deepEqual(sequences, ['1', '2', '3']);
        assert.deepEqual(names(), ['step-1', 'step-2', 'step-4']);
    });

    it('holds the folder until its last user has done', async () => {
        const checkpoints = folderOf();
        await checkpoints.open();
        await checkpoints.open();
        const saves = [1, 2].map((step) => checkpoints.save(step, filesOf(step)));
        checkpoints.close();
        checkpoints.close();
        await saves[0];
        await assert.rejects(folderOf().open(), { code: 'locked' });
        await Promise.all(saves);
        const opening = checkpoints.open();
        checkpoints.close();
        await opening;
        assert.deepEqual(names(), ['step-1', 'step-2']);
        await Promise.all([checkpoints.open(), checkpoints.save(3, filesOf(3))]);
        await assert.rejects(folderOf().open(), { code: 'locked' });
        checkpoints.close();
        assert.deepEqual(names(), ['step-2', 'step-3']);
    });

    it('finds the newest beside a writer that removes what was listed', async () => {
        const writer = folderOf({ keepLast: 1 });
        await writer.save(1, filesOf(1));
        let turns = 0;
        const value = await folderOf().load(async (path) => {
            turns++;
            if (turns <= 3) await writer.save(turns + 1, filesOf(turns + 1));
            return read(path);
        });
        assert.equal(value, 4);
        assert.equal(turns, 4);
        assert.deepEqual(warnings, []);
    });
});
