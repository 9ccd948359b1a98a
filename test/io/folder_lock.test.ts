import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { mock } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { FileWriteError } from '../../lib/io/file_write_error.js';
import { FolderLockedError, isFolderLocked, lockFolder } from '../../lib/io/folder_lock.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

describe('lockFolder', () => {
    const folder = useTemporaryFolder();
    const locks = (): string[] => readdirSync(folder());

    /** Leaves a lock as another process would, `seconds` ago. */
    async function leave(change: (pid: string, started: string) => readonly string[], seconds = 0) {
        const held = await lockFolder(folder(), 'test');
        const [prefix, host, processes, pid, started] = (locks()[0] ?? '').split('_');
        held.release();
        const [newPid = '', newStarted = '', newHost = host] = change(pid ?? '', started ?? '');
        leaveFile([prefix, newHost, processes, newPid, newStarted, 'other'].join('_'), seconds);
    }

    function leaveFile(name: string, seconds: number): void {
        writeFileSync(join(folder(), name), '');
        const then = Date.now() / 1000 - seconds;
        utimesSync(join(folder(), name), then, then);
    }

    async function isTaken(): Promise<boolean> {
        try {
            (await lockFolder(folder(), 'test')).release();
            assert.deepEqual(locks(), []);
            return false;
        } catch (error) {
            assert.ok(error instanceof FolderLockedError, String(error));
            assert.equal(locks().length, 1);
            rmSync(join(folder(), locks()[0] ?? ''));
            return true;
        }
    }

    it('gives a folder to one at a time, and to each purpose by itself', async () => {
        const held = await lockFolder(folder(), 'test');
        await assert.rejects(lockFolder(folder(), 'test'), {
            name: 'FolderLockedError',
            message: new RegExp(`is in use by process ${process.pid} of .*its lock is \\.test-lock_`),
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
        await leave((_, started) => [String(dead), started]);
        assert.equal(await isTaken(), false);
        await leave((pid) => [pid, '1']);
        assert.equal(await isTaken(), false);
        await leave(() => [String(process.ppid), '1']);
        assert.equal(await isTaken(), false);
        await leave((pid, started) => [pid, started]);
        assert.equal(await isTaken(), true);
    });

    it('believes another machine for a minute after its last sign of life', async () => {
        await leave((pid, started) => [pid, started, 'else%5Fwhere'], 30);
        await assert.rejects(lockFolder(folder(), 'test'), /in use by process \d+ of else_where/);
        assert.equal(await isTaken(), true);
        await leave((pid, started) => [pid, started, 'elsewhere'], 90);
        assert.equal(await isTaken(), false);
    });

    it('lives by the clock of the file system, which this machine is behind or ahead of', async () => {
        for (const shift of [-300_000, 300_000]) {
            mock.timers.enable({ apis: ['setInterval', 'Date'], now: Date.now() + shift });
            try {
                const held = await lockFolder(folder(), 'test');
                const path = join(folder(), locks()[0] ?? '');
                for (let beats = 0; beats < 3; beats++) {
                    utimesSync(path, 1, 1);
                    mock.timers.tick(10_000);
                    while (statSync(path).mtimeMs === 1000) await sleep(1);
                    writeFileSync(join(folder(), 'now'), '');
                    const late = statSync(join(folder(), 'now')).mtimeMs - statSync(path).mtimeMs;
                    assert.ok(Math.abs(late) < 30_000, `${late} ms behind the file system`);
                    rmSync(join(folder(), 'now'));
                }
                held.release();
                mock.timers.tick(10_000);
                await sleep(20);
                assert.deepEqual(locks(), []);
            } finally {
                mock.timers.reset();
            }
        }
    });

    it('is seen from outside by that clock, too, by its own where nothing can be written', async () => {
        const isHeld = async (shift: number): Promise<boolean> => {
            const clock = mock.method(Date, 'now', () => performance.timeOrigin + performance.now() + shift);
            const found = await isFolderLocked(folder(), 'test');
            clock.mock.restore();
            assert.equal(locks().length, 1);
            return found;
        };
        const refuse = (): void => {
            mock.method(fs, 'open', () => Promise.reject(new Error('EROFS')));
            syncBuiltinESMExports();
        };
        for (const [seconds, shift] of [
            [30, 300_000],
            [90, -300_000],
        ] as const) {
            await leave((pid, started) => [pid, started, 'elsewhere'], seconds);
            assert.equal(await isHeld(shift), seconds === 30);
            try {
                refuse();
                assert.equal(await isHeld(0), seconds === 30);
                assert.equal(await isHeld(shift), seconds !== 30);
            } finally {
                mock.restoreAll();
                syncBuiltinESMExports();
            }
            rmSync(join(folder(), locks()[0] ?? ''));
        }
    });

    it('treats a name that says nothing as one of another machine', async () => {
        leaveFile('.test-lock_odd', 0);
        assert.equal(await isTaken(), true);
        leaveFile('.test-lock_%_1_2_3_4', 90);
        assert.equal(await isTaken(), false);
    });

    it('says where a folder cannot be written', async () => {
        await assert.rejects(lockFolder(join(folder(), 'none'), 'test'), FileWriteError);
        mkdirSync(join(folder(), 'none'));
        (await lockFolder(join(folder(), 'none'), 'test')).release();
        rmSync(join(folder(), 'none'), { recursive: true });
    });
});
