import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { open, readdir, readFile, stat, unlink, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { CheckpointError } from './checkpoint_error.js';

const prefix = '.lock-';
/** A holder shows this often that it lives; one on another machine that has not for `lostMilliseconds` is taken for dead. */
const beatMilliseconds = 10_000;
const lostMilliseconds = 60_000;

interface Owner {
    readonly machine: string;
    readonly pid: number;
    /** When the process began, since numbers come again. */
    readonly started: string;
}

/** The right to write a folder. */
export interface FolderLock {
    release(): Promise<void>;
}

/**
 * Takes the right to write a folder. Each contender makes a file of its own name and looks at those of others afterwards: of
 * two at once, both see each other, and nobody removes a file of someone who lives.
 *
 * @throws {CheckpointError} 'locked' where another process that lives has it, 'write' where the folder cannot be written.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
    const name = `${prefix}${process.pid}-${randomBytes(6).toString('hex')}`;
    const path = join(folder, name);
    try {
        const handle = await open(path, 'wx');
        try {
            await handle.writeFile(JSON.stringify(ownOwner()));
        } finally {
            await handle.close();
        }
        const other = await holderBeside(folder, name);
        if (other) throw new CheckpointError('locked', folder, other);
    } catch (cause) {
        await unlink(path).catch(() => undefined);
        if (cause instanceof CheckpointError) throw cause;
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new CheckpointError('write', folder, `cannot be locked: ${reason}`, { cause });
    }
    const beat = setInterval(() => {
        const now = new Date();
        utimes(path, now, now).catch(() => undefined);
    }, beatMilliseconds);
    beat.unref();
    return {
        release: async () => {
            clearInterval(beat);
            await unlink(path).catch(() => undefined);
        },
    };
}

/** Says who else has the folder; files of the dead are removed. */
async function holderBeside(folder: string, own: string): Promise<string | undefined> {
    const names = (await readdir(folder)).filter((name) => name.startsWith(prefix) && name !== own);
    for (const name of names) {
        const path = join(folder, name);
        const text = await readFile(path, 'utf8').catch(() => undefined);
        if (text === undefined) continue;
        const owner = parseOwner(text);
        if (await isAlive(owner, path, join(folder, own))) {
            const who = owner ? `process ${owner.pid} of ${owner.machine.split(' ')[0]}` : 'a process';
            return (
                `${who} writes checkpoints there already; end it, or choose another folder ` +
                `(its lock is ${name})`
            );
        }
        await unlink(path).catch(() => undefined);
    }
    return undefined;
}

async function isAlive(owner: Owner | undefined, path: string, own: string): Promise<boolean> {
    const here = ownOwner();
    if (owner?.machine === here.machine) {
        if (owner.pid === here.pid) return owner.started === here.started;
        return startOf(owner.pid) === owner.started;
    }
    // Both times are those of the file system, so clocks of machines may differ.
    const [theirs, ours] = await Promise.all([stat(path).catch(() => undefined), stat(own)]);
    return theirs !== undefined && ours.mtimeMs - theirs.mtimeMs < lostMilliseconds;
}

function parseOwner(text: string): Owner | undefined {
    try {
        const owner = JSON.parse(text) as Partial<Owner> | null;
        const { machine, pid, started } = owner ?? {};
        if (typeof machine !== 'string' || typeof pid !== 'number' || typeof started !== 'string') return;
        return { machine, pid, started };
    } catch {
        return undefined;
    }
}

function ownOwner(): Owner {
    let space = '';
    try {
        // Containers may share a name, not the numbers of their processes.
        space = readlinkSync('/proc/self/ns/pid');
    } catch {
        // No such thing on this system.
    }
    return {
        machine: `${hostname()} ${space}`.trim(),
        pid: process.pid,
        started: startOf(process.pid) ?? '',
    };
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
