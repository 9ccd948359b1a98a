import { readFileSync, statSync, unlinkSync, utimesSync } from 'node:fs';
import { open, readFile, rename, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { FileWriteError } from '../io/file_write_error.js';

const LOCK_NAME = 'tracking.lock';
/** A holder on another machine shows so often that it lives. */
const BEAT_MS = 30_000;
const DEAD_AFTER_MS = 10 * BEAT_MS;

interface Holder {
    readonly pid: number;
    readonly host: string;
    /** When the process began, in the system's own units: numbers of processes come again. Empty where that is not told. */
    readonly began: string;
}

/** Thrown where another process writes or uploads the same run. */
export class RunInUseError extends Error {
    override readonly name = 'RunInUseError';

    constructor(folder: string, { pid, host }: Holder) {
        super(`the run in ${folder} is in use by process ${pid} on ${host}`);
    }
}

export interface RunLock {
    readonly release: () => void;
}

/**
 * Makes this process the only one that writes and uploads a run. The lock of a process that died is taken over: on the same
 * machine at once, on another after five minutes without a sign of life.
 *
 * @throws {RunInUseError} where it is held.
 */
export async function lockRun(folder: string): Promise<RunLock> {
    const path = join(folder, LOCK_NAME);
    const self: Holder = { pid: process.pid, host: hostname(), began: beginOf(process.pid) };
    for (let tries = 0; tries < 5; tries++) {
        if (await tryCreate(path, `${JSON.stringify(self)}\n`)) return holdLock(path);
        const holder = await liveHolder(path);
        if (holder) throw new RunInUseError(folder, holder);
        await removeStale(path);
    }
    throw new FileWriteError(path, new Error('other processes take this lock again and again'));
}

/** The process that writes the run of a folder, if one does. */
export async function runHolder(folder: string): Promise<{ pid: number; host: string } | undefined> {
    return liveHolder(join(folder, LOCK_NAME));
}

async function tryCreate(path: string, text: string): Promise<boolean> {
    try {
        const handle = await open(path, 'wx');
        try {
            await handle.writeFile(text);
        } finally {
            await handle.close();
        }
        return true;
    } catch (cause) {
        if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return false;
        throw new FileWriteError(path, cause);
    }
}

function holdLock(path: string): RunLock {
    const beat = setInterval(() => {
        try {
            const now = new Date();
            utimesSync(path, now, now);
        } catch {
            // The next beat may work; on this machine the number of the process tells that it lives.
        }
    }, BEAT_MS);
    beat.unref();
    return {
        release: () => {
            clearInterval(beat);
            try {
                unlinkSync(path);
            } catch {
                // Somebody removed the folder; there is nothing left to hold.
            }
        },
    };
}

async function liveHolder(path: string): Promise<Holder | undefined> {
    const holder = parseHolder(await readFile(path, 'utf8').catch(() => ''));
    if (holder === undefined)
        return isFresh(path, 2000) ? { pid: 0, host: 'an unknown host', began: '' } : undefined;
    if (holder.host !== hostname()) return isFresh(path, DEAD_AFTER_MS) ? holder : undefined;
    return isAlive(holder) ? holder : undefined;
}

/** A lock that was just created may be empty for a moment. */
function isFresh(path: string, milliseconds: number): boolean {
    try {
        return Date.now() - statSync(path).mtimeMs < milliseconds;
    } catch {
        return false;
    }
}

function isAlive({ pid, began }: Holder): boolean {
    try {
        process.kill(pid, 0);
    } catch (error) {
        // EPERM: it lives and is another user's.
        if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
    }
    const now = beginOf(pid);
    return began === '' || now === '' || began === now;
}

/** The 22nd field of /proc/<pid>/stat; the second one, a name in parentheses, may hold spaces. */
function beginOf(pid: number): string {
    try {
        const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
        return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    } catch {
        return '';
    }
}

function parseHolder(text: string): Holder | undefined {
    try {
        const value: unknown = JSON.parse(text);
        if (typeof value !== 'object' || value === null) return undefined;
        const { pid, host, began } = value as Record<string, unknown>;
        const fits = Number.isSafeInteger(pid) && typeof host === 'string' && typeof began === 'string';
        return fits && typeof pid === 'number' && pid > 0 ? { pid, host, began } : undefined;
    } catch {
        return undefined;
    }
}

/** Only one of several that find the same stale lock gets to rename it. */
async function removeStale(path: string): Promise<void> {
    const aside = `${path}.${process.pid}-${Date.now()}`;
    try {
        await rename(path, aside);
        await unlink(aside);
    } catch {
        // Another process was first.
    }
}
