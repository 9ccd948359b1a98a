import { join } from 'node:path';

import { FolderLockedError, lockFolder, type FolderLock } from '../folder_lock.js';
import { makeFolders } from '../make_folders.js';
import { SharedLock } from '../shared_lock.js';
import { CheckpointError } from './checkpoint_error.js';
import type { Manifest } from './manifest.js';
import {
    checkpointNames,
    findCheckpoints,
    verifyCheckpoint,
    type FoundCheckpoint,
} from './read_checkpoint.js';
import {
    removeCheckpoint,
    removeLeftovers,
    writeCheckpoint,
    type CheckpointFiles,
} from './write_checkpoint.js';

/** Which checkpoints of a folder stay, and who hears what went wrong. */
export interface FolderRules {
    readonly keepLast: number;
    readonly keepBest: number;
    /** The lower the better; Infinity where nothing is known. */
    readonly badness: (manifest: Manifest) => number;
    readonly warn: (text: string) => void;
}

export interface SaveDetails {
    readonly configHash?: string;
    readonly metrics?: Readonly<Record<string, number | null>>;
}

/** So often `load` lists the folder again where another process removes what it has listed. */
const mostListings = 10;

/** A folder of checkpoints `step-N`: saved one after the other, the newest good one found, old ones removed. */
export class CheckpointFolder {
    private readonly lock = new SharedLock(() => this.take());
    private opening: Promise<void> | null = null;
    private isOpen = false;
    private lastSave: Promise<unknown> = Promise.resolve();
    /** What `load` could not read, by name. */
    private readonly passedOver = new Map<string, CheckpointError>();

    constructor(
        readonly path: string,
        private readonly rules: FolderRules,
    ) {}

    /**
     * Takes the folder until `close`, and removes what dead saves have left.
     *
     * @throws {CheckpointError} 'locked' where another process has it, 'write' where it cannot be made.
     */
    async open(): Promise<void> {
        const opening = (this.opening ??= this.lock.acquire());
        try {
            await opening;
            this.isOpen = this.opening === opening;
        } catch (error) {
            if (this.opening === opening) this.opening = null;
            throw error;
        }
    }

    /** Gives the folder to others, once the saves under way are done. */
    close(): void {
        const { opening, isOpen, lock } = this;
        this.opening = null;
        this.isOpen = false;
        if (isOpen) lock.release();
        else
            opening?.then(
                () => lock.release(),
                () => undefined,
            );
    }

    private async take(): Promise<FolderLock> {
        const lock = await this.lockNew();
        await removeLeftovers(this.path).catch((error: unknown) =>
            this.rules.warn(`leftovers in ${this.path} cannot be removed: ${String(error)}`),
        );
        return lock;
    }

    private async lockNew(): Promise<FolderLock> {
        try {
            await makeFolders(this.path);
            return await lockFolder(this.path, 'checkpoints');
        } catch (cause) {
            if (cause instanceof FolderLockedError) throw lockedError(cause);
            throw new CheckpointError('write', this.path, `cannot be used: ${textOf(cause)}`, { cause });
        }
    }

    /**
     * Writes a checkpoint after those whose save was asked for before, reads it again, and removes those that the rules do not keep.
     *
     * @throws {CheckpointError} 'write', 'locked', or what `files` rejects with.
     */
    async save(
        step: number,
        files: CheckpointFiles | Promise<CheckpointFiles>,
        details: SaveDetails = {},
    ): Promise<string> {
        const ready = Promise.resolve(files);
        const locked = this.lock.acquire();
        const saved = Promise.allSettled([ready, locked, this.lastSave]).then(async () => {
            await locked;
            try {
                return await this.write(step, await ready, details);
            } finally {
                this.lock.release();
            }
        });
        this.lastSave = saved.catch(() => undefined);
        return saved;
    }

    private async write(
        step: number,
        files: CheckpointFiles,
        { configHash = '', metrics = {} }: SaveDetails,
    ): Promise<string> {
        const found = await findCheckpoints(this.path);
        const names = new Set(found.map(({ name }) => name));
        let name = `step-${step}`;
        for (let n = 1; names.has(name); n++) name = `step-${step}.${n}`;
        this.passedOver.delete(name);
        const path = join(this.path, name);
        const head = { step, sequence: sequenceAfter(found), configHash, metrics };
        const manifest = await writeCheckpoint(path, head, files);
        try {
            await verifyCheckpoint(path);
        } catch (cause) {
            await removeCheckpoint(path).catch(() => undefined);
            throw new CheckpointError('write', path, 'is not what was written when it is read again', {
                cause,
            });
        }
        await this.retain([{ path, name, manifest }, ...found]);
        return path;
    }

    /** Removes those that are neither new nor good enough, nor unreadable for now; the first is new. */
    private async retain(found: readonly FoundCheckpoint[]): Promise<void> {
        const { keepLast, keepBest, badness, warn } = this.rules;
        const problemOf = (item: FoundCheckpoint): CheckpointError | undefined =>
            item.problem ?? this.passedOver.get(item.name);
        const sound = found.filter((item) => item.manifest !== undefined && !problemOf(item));
        const rank = ({ manifest }: FoundCheckpoint): number => (manifest ? badness(manifest) : Infinity);
        const best = sound.filter((item) => rank(item) < Infinity).sort((a, b) => rank(a) - rank(b));
        const kept = new Set([...sound.slice(0, keepLast), ...best.slice(0, keepBest)]);
        for (const item of found) {
            const problem = problemOf(item);
            if (kept.has(item) || (problem && problem.code !== 'damaged')) continue;
            if (problem) warn(`${problem.message}; it is removed`);
            await removeCheckpoint(item.path).catch((error: unknown) =>
                warn(`an old checkpoint, ${item.path}, cannot be removed: ${String(error)}`),
            );
        }
    }

    /**
     * What `read` makes of the newest checkpoint that it can; older ones stand in for others, with a warning. Undefined
     * where there is none at all.
     *
     * @throws {CheckpointError} 'damaged' or 'unreadable' where all are, 'newer-format' where a later version has written the newest.
     */
    async load<T>(read: (path: string) => Promise<T>): Promise<T | undefined> {
        for (let listings = 1; ; listings++) {
            const found = await findCheckpoints(this.path);
            const { path, value, problems } = await firstGood(found, read);
            // Another process that saves removes old ones: what was listed may be gone, and a newer one there.
            if (problems.size > 0 && listings < mostListings && (await this.hasOthersThan(found))) continue;
            for (const [name, problem] of problems) this.passedOver.set(name, problem);
            const all = [...problems.values()];
            if (path !== undefined)
                for (const { message } of all) this.rules.warn(`${message}; going back to ${path}`);
            else if (all.length > 0) throw noneIsGood(this.path, all);
            return value;
        }
    }

    private async hasOthersThan(found: readonly FoundCheckpoint[]): Promise<boolean> {
        const names = await checkpointNames(this.path);
        const known = new Set(found.map(({ name }) => name));
        return names.length !== known.size || names.some((name) => !known.has(name));
    }
}

/** Above all that were counted. Those that cannot be read for now may have counted on from a time, but not from a later one. */
function sequenceAfter(found: readonly FoundCheckpoint[]): number {
    const next = Math.max(0, ...found.map(({ manifest }) => manifest?.sequence ?? 0)) + 1;
    const hasUnknown = found.some(({ problem }) => problem && problem.code !== 'damaged');
    return hasUnknown ? Math.max(next, Date.now()) : next;
}

async function firstGood<T>(
    found: readonly FoundCheckpoint[],
    read: (path: string) => Promise<T>,
): Promise<{ path?: string; value?: T; problems: Map<string, CheckpointError> }> {
    const problems = new Map<string, CheckpointError>();
    for (const { path, name, problem } of found) {
        try {
            if (problem) throw problem;
            return { path, value: await read(path), problems };
        } catch (error) {
            if (!(error instanceof CheckpointError) || error.code === 'newer-format') throw error;
            problems.set(name, error);
        }
    }
    return { problems };
}

function noneIsGood(folder: string, problems: readonly CheckpointError[]): CheckpointError {
    const code = problems.some((problem) => problem.code === 'unreadable') ? 'unreadable' : 'damaged';
    const texts = problems.map(({ message }) => message);
    return new CheckpointError(code, folder, `holds no good checkpoint: ${texts.join('; ')}`);
}

function lockedError({ folder, holder, lock }: FolderLockedError): CheckpointError {
    const detail = `${holder} writes checkpoints there already; end it, or choose another folder (its lock is ${lock})`;
    return new CheckpointError('locked', folder, detail);
}

function textOf(error: unknown): string {
    return error instanceof Error ? error.message : String(error);
}
