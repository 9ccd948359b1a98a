// One builder at a time: a lock file that holds its owner's process id and falls to the next when the owner died.
import { mkdirSync, openSync, closeSync, readFileSync, renameSync, rmSync, writeSync, linkSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

function tryTake(path) {
    try {
        const file = openSync(path, 'wx');
        writeSync(file, String(process.pid));
        closeSync(file);
        return true;
    } catch (error) {
        if (error.code === 'EEXIST') return false;
        throw error;
    }
}

function ownerOf(path) {
    try {
        return readFileSync(path, 'utf8');
    } catch (error) {
        if (error.code === 'ENOENT') return undefined;
        throw error;
    }
}

function isAlive(pid) {
    try {
        process.kill(pid, 0);
        return true;
    } catch (error) {
        return error.code === 'EPERM';
    }
}

/** Removes the lock of a dead owner; a rename is atomic, so of several takers only one moves that very file. */
function discard(path, deadOwner) {
    const aside = `${path}.${process.pid}`;
    try {
        renameSync(path, aside);
        // Another taker was faster and the file moved was its fresh lock: put it back.
        if (readFileSync(aside, 'utf8') !== deadOwner) linkSync(aside, path);
    } catch (error) {
        if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
    } finally {
        rmSync(aside, { force: true });
    }
}

/**
 * Runs `work` while holding the lock file at `path`. `onWait(pid)` is called once when another process holds it.
 * The lock is given back whatever `work` does.
 */
export async function withBuildLock(path, work, onWait = () => {}) {
    mkdirSync(dirname(path), { recursive: true });
    let told = false;
    let emptySince;
    while (!tryTake(path)) {
        const owner = ownerOf(path);
        if (owner === undefined) continue;
        // An owner that died between creating the file and writing its id leaves an empty file.
        if (owner === '') emptySince ??= Date.now();
        const dead = owner === '' ? Date.now() - emptySince > 5000 : !isAlive(Number(owner));
        if (dead) {
            discard(path, owner);
            emptySince = undefined;
            continue;
        }
        if (!told && owner !== '') onWait(Number(owner));
        told ||= owner !== '';
        await sleep(100);
    }
    try {
        return await work();
    } finally {
        if (ownerOf(path) === String(process.pid)) rmSync(path, { force: true });
    }
}
