import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync, unlinkSync } from 'node:fs';
import { open, readdir, stat, truncate, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { FileWriteError } from './file_write_error.js';

/** A holder shows this often that it lives; one on another machine that has not for `lostMilliseconds` is taken for dead. */
const beatMilliseconds = 10_000;
const lostMilliseconds = 60_000;

interface Owner {
    readonly host: string;
    /** The numbers of which processes: containers may share the name of a host, not these. */
    readonly processes: string;
    readonly pid: number;
    /** When the process began, since numbers come again. */
    readonly started: string;
}

/** The right to write in a folder. */
export interface FolderLock {
    release(): void;
}

/** Thrown where another process that lives has the right to write. */
export class FolderLockedError extends Error {
    override readonly name = 'FolderLockedError';

    constructor(
        readonly folder: string,
        /** Who has it: "process 4711 of host". */
        readonly holder: string,
        /** The file that says so. */
        readonly lock: string,
    ) {
        super(`${folder} is in use by ${holder} (its lock is ${lock})`);
    }
}

/**
 * Takes the right to write something in a folder, of which `purpose` is the name. Each contender makes a file of its own name and
 * looks at those of others afterwards: of two at once, both see each other, and nobody removes a file of someone who lives.
 *
 * @throws {FolderLockedError} where another process that lives has it; {FileWriteError} where the folder cannot be written.
 */
export async function lockFolder(folder: string, purpose: string): Promise<FolderLock> {
    const prefix = `.${purpose}-lock_`;
    // The name says whose it is: a process that dies here leaves no lock without an owner.
    const name = `${prefix}${nameOf(ownOwner())}_${randomBytes(6).toString('hex')}`;
    const path = join(folder, name);
    try {
        await (await open(path, 'wx')).close();
        await requireAlone(folder, prefix, name);
    } catch (cause) {
        await unlink(path).catch(() => undefined);
        throw cause instanceof FolderLockedError ? cause : new FileWriteError(path, cause);
    }
    let beats = 0;
    const beat = setInterval(() => {
        // Its time is then that of the file system, whose clock others go by. A full disk takes it, too, and nothing is made anew.
        truncate(path, ++beats % 2).catch(() => undefined);
    }, beatMilliseconds);
    beat.unref();
    return {
        release: () => {
            clearInterval(beat);
            try {
                unlinkSync(path);
            } catch {
                // Somebody removed the folder: nothing is left to hold.
            }
        },
    };
}

/** Whether a process that lives has the right to write something in a folder. */
export async function isFolderLocked(folder: string, purpose: string): Promise<boolean> {
    const prefix = `.${purpose}-lock_`;
    const now = (): Promise<number> => timeIn(folder);
    for (const name of (await readdir(folder)).filter((file) => file.startsWith(prefix))) {
        const path = join(folder, name);
        if (await isAlive(ownerOf(name.slice(prefix.length)), path, now)) return true;
    }
    return false;
}

/** What the clock of a folder's file system says; that of this machine where no file can be made there. */
async function timeIn(folder: string): Promise<number> {
    const path = join(folder, `.clock_${randomBytes(6).toString('hex')}`);
    try {
        const handle = await open(path, 'wx');
        try {
            return (await handle.stat()).mtimeMs;
        } finally {
            await handle.close();
            await unlink(path);
        }
    } catch {
        return Date.now();
    }
}

/** Throws where somebody else has the folder; files of the dead are removed. */
async function requireAlone(folder: string, prefix: string, own: string): Promise<void> {
    const names = (await readdir(folder)).filter((name) => name.startsWith(prefix) && name !== own);
    const ours = async (): Promise<number> => (await stat(join(folder, own))).mtimeMs;
    for (const name of names) {
        const path = join(folder, name);
        const owner = ownerOf(name.slice(prefix.length));
        if (await isAlive(owner, path, ours)) {
            const holder = owner ? `process ${owner.pid} of ${owner.host}` : 'a process';
            throw new FolderLockedError(folder, holder, name);
        }
        await unlink(path).catch(() => undefined);
    }
}

/** `now`: by the clock of the file system, as the times of the locks are: those of machines may differ. */
async function isAlive(owner: Owner | undefined, path: string, now: () => Promise<number>): Promise<boolean> {
    const here = ownOwner();
    if (owner?.host === here.host && owner.processes === here.processes) {
        if (owner.pid === here.pid) return owner.started === here.started;
        return startOf(owner.pid) === owner.started;
    }
    const theirs = await stat(path).catch(() => undefined);
    return theirs !== undefined && (await now()) - theirs.mtimeMs < lostMilliseconds;
}

function nameOf({ host, processes, pid, started }: Owner): string {
    return `${encodeURIComponent(host).replaceAll('_', '%5F')}_${processes}_${pid}_${started}`;
}

function ownerOf(name: string): Owner | undefined {
    const [, host, processes, pid, started] = /^([^_]+)_(\d*)_(\d+)_(\d*)_/.exec(name) ?? [];
    if (host === undefined || processes === undefined || started === undefined) return undefined;
    try {
        return { host: decodeURIComponent(host), processes, pid: Number(pid), started };
    } catch {
        return undefined;
    }
}

function ownOwner(): Owner {
    let processes = '';
    try {
        processes = readlinkSync('/proc/self/ns/pid').replaceAll(/\D/g, '');
    } catch {
        // No such thing on this system.
    }
    return { host: hostname(), processes, pid: process.pid, started: startOf(process.pid) ?? '' };
}

/** When a process began; undefined where there is none. */
function startOf(pid: number): string | undefined {
    try {
        const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
        const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
        return fields[0] === 'Z' ? undefined : fields[19];
    } catch {
        try {
            process.kill(pid, 0);
            return '';
        } catch (error) {
            return error instanceof Error && 'code' in error && error.code === 'EPERM' ? '' : undefined;
        }
    }
}
