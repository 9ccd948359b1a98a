import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { FileWriteError } from '../../lib/io/file_write_error.js';
import { FolderLockedError, lockFolder } from '../../lib/io/folder_lock.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

interface Owner {
    machine: string;
    pid: number;
    started: string;
}

describe('lockFolder', () => {
    const folder = useTemporaryFolder();
    const locks = (): string[] => readdirSync(folder());

    /** Leaves a lock as another process would, `seconds` ago. */
    async function leave(change: (own: Owner) => Partial<Owner>, seconds = 0): Promise<void> {
        const held = await lockFolder(folder(), 'test');
        const own = JSON.parse(readFileSync(join(folder(), locks()[0] ?? ''), 'utf8')) as Owner;
        held.release();
        const path = join(folder(), '.test-lock-other');
        writeFileSync(path, JSON.stringify({ ...own, ...change(own) }));
        const then = Date.now() / 1000 - seconds;
        utimesSync(path, then, then);
    }

    async function isTaken(): Promise<boolean> {
        try {
            (await lockFolder(folder(), 'test')).release();
            assert.deepEqual(locks(), []);
            return false;
        } catch (error) {
            assert.ok(error instanceof FolderLockedError, String(error));
            rmSync(join(folder(), '.test-lock-other'));
            assert.deepEqual(locks(), []);
            return true;
        }
    }

    it('gives a folder to one at a time, and to each purpose by itself', async () => {
        const held = await lockFolder(folder(), 'test');
        await assert.rejects(lockFolder(folder(), 'test'), {
            name: 'FolderLockedError',
            message: new RegExp(`is in use by process ${process.pid} of .*its lock is \\.test-lock-`),
        });
        (await lockFolder(folder(), 'other')).release();
        held.release();
        assert.deepEqual(locks(), []);
        held.release();
    });

    it('gives it to one of many at once, or to none', async () => {
        const tried = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder(), 'test')));
        const held = tried.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
        assert.ok(held.length <= 1, `${held.length} hold it`);
        for (const each of held) each.release();
        assert.deepEqual(locks(), []);
    });

    it('takes over from the dead, also where the number of the process came again', async () => {
        const dead = spawnSync('true').pid;
        await leave(() => ({ pid: dead }));
        assert.equal(await isTaken(), false);
        await leave(() => ({ started: 'earlier' }));
        assert.equal(await isTaken(), false);
        await leave(() => ({ pid: process.ppid, started: 'earlier' }));
        assert.equal(await isTaken(), false);
        await leave((own) => own);
        assert.equal(await isTaken(), true);
    });

    it('believes another machine for a minute after its last sign of life', async () => {
        await leave(() => ({ machine: 'elsewhere' }), 30);
        assert.equal(await isTaken(), true);
        await leave(() => ({ machine: 'elsewhere' }), 90);
        assert.equal(await isTaken(), false);
    });

    it('waits out a lock that cannot be read, such as one that is just being written', async () => {
        const path = join(folder(), '.test-lock-other');
        writeFileSync(path, '');
        assert.equal(await isTaken(), true);
        writeFileSync(path, '{"pid":"1"}');
        const then = Date.now() / 1000 - 90;
        utimesSync(path, then, then);
        assert.equal(await isTaken(), false);
    });

    it('says where a folder cannot be written', async () => {
        await assert.rejects(lockFolder(join(folder(), 'none'), 'test'), FileWriteError);
        mkdirSync(join(folder(), 'none'));
        (await lockFolder(join(folder(), 'none'), 'test')).release();
        rmSync(join(folder(), 'none'), { recursive: true });
    });
});
