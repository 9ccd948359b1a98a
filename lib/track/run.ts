import { randomBytes } from 'node:crypto';
import { copyFile, readdir, stat } from 'node:fs/promises';
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path';

import { lockFolder, type FolderLock } from '../io/folder_lock.js';
import { makeFolders } from '../io/make_folders.js';
import { describeValue } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import { pieces, requireDataset, requireName, requireValues, textOf } from './checks.js';
import { storeNumber } from './records.js';
import type { DatasetInput, LogRecord, RunStatus, StartRecord, StoredNumber } from './records.js';
import { LOG_NAME, readWholeLog, RunLog } from './run_log.js';
import type { Sink, SinkMaker } from './sink.js';

export interface RunOptions {
    /** The run's folder; made where it is missing. A run that is there goes on under its identity. */
    readonly folder: string;
    /** Default: the folder's name, or that of the run that is there, which cannot be another one. */
    readonly name?: string;
    /** Of a new run; one that goes on keeps its own, and its parent. */
    readonly experiment?: string;
    readonly tags?: Readonly<Record<string, unknown>>;
    /** Places beside the folder that get the same. */
    readonly sinks?: readonly SinkMaker[];
    /** The run that this one is a part of. */
    readonly parent?: { readonly id: string };
    /**
     * A run that goes on stays what it was until something is noted, and can be left so (`leave`). Default: false, it runs from the
     * start.
     */
    readonly resumeLate?: boolean;
    /** Told in a sentence what went wrong outside (disk full, server gone), once each. The run goes on. */
    readonly onProblem?: (text: string) => void;
}

/** How a run was closed. */
export interface RunReport {
    /** What servers do not have yet, and what a full disk has lost, in a sentence each. */
    readonly pending: readonly string[];
}

const MOST_METRICS = 500;
const MOST_TEXTS = 50;
const DEFAULT_WAIT_MS = 10_000;

/**
 * One run: its parameters, metrics, tags and files, as lines of `tracking.jsonl` in its folder and in further places. What a
 * method was given is in the file when it returns (on disk after `flush`), and no server can hold it up.
 */
export class Run {
    private ended = false;
    /** It was there before, and nothing has been noted since. */
    private isAsBefore: boolean;

    private constructor(
        readonly folder: string,
        private readonly start: StartRecord,
        private readonly log: RunLog,
        private readonly lock: FolderLock,
        private readonly sinks: readonly Sink[],
        private readonly known: ReadonlyMap<string, ReadonlyMap<number, StoredNumber>>,
        /** Whether it was in the folder before, and goes on. */
        readonly goesOn: boolean,
    ) {
        this.isAsBefore = goesOn;
    }

    /** @internal Use `startRun`. */
    static async open(options: RunOptions): Promise<Run> {
        const { folder, onProblem = () => undefined } = options;
        await makeFolders(folder);
        const lock = await lockFolder(folder, 'tracking');
        let log: RunLog | undefined;
        try {
            const path = join(folder, LOG_NAME);
            log = RunLog.open(path, onProblem);
            const before = await readWholeLog(path);
            const known = before.find((record) => record.type === 'start');
            if (known) requireSameName(known, options);
            const start = known ?? newStart(options);
            if (!known) log.append(start);
            const opened = log;
            const context = { folder, logPath: path, start, syncLog: () => opened.sync(), onProblem };
            const sinks = (options.sinks ?? []).map((make) => make(context));
            const run = new Run(folder, start, log, lock, sinks, pointsOf(before), known !== undefined);
            if (!options.resumeLate) run.resume();
            await log.sync();
            return run;
        } catch (error) {
            log?.close();
            lock.release();
            throw error;
        }
    }

    /** 32 hexadecimal digits that this run keeps. */
    get id(): string {
        return this.start.id;
    }

    /** Milliseconds since 1970, of its first start. */
    get startTime(): number {
        return this.start.time;
    }

    get name(): string {
        return this.start.name;
    }

    /**
     * Notes what the run was asked to do. Values become text, lists and objects JSON.
     *
     * @throws {TypeError} for a name that cannot be one.
     */
    logParams(params: Readonly<Record<string, unknown>>): void {
        requireValues('logParams', 'a parameter', params);
        for (const piece of pieces(texts(params), MOST_TEXTS)) {
            this.write({ type: 'params', time: Date.now(), params: piece });
        }
    }

    /**
     * Notes numbers, NaN and infinities among them. A run that goes on leaves out points (name, step, value) that it has;
     * of several values at a step, the last one counts.
     *
     * @throws {TypeError} for a name or a value that cannot be one; {RangeError} for a step that is no integer.
     */
    logMetrics(
        metrics: Readonly<Record<string, number>>,
        { step = 0, time = Date.now() }: { step?: number; time?: number } = {},
    ): void {
        requireValues('logMetrics', 'a metric', metrics);
        if (!Number.isSafeInteger(step)) {
            throw new RangeError(`[logMetrics] step must be an integer, got ${describeValue(step)}`);
        }
        const entries = Object.entries(metrics).map(([name, value]) => {
            if (typeof value === 'number') return [name, storeNumber(value)] as const;
            throw new TypeError(`[logMetrics] '${name}' must be a number, got ${describeValue(value)}`);
        });
        const fresh = entries.filter(([name, value]) => this.known.get(name)?.get(step) !== value);
        for (const piece of pieces(Object.fromEntries(fresh), MOST_METRICS)) {
            this.write({ type: 'metrics', time, step, metrics: piece });
        }
    }

    /** Whether it takes no more. */
    get hasEnded(): boolean {
        return this.ended;
    }

    /**
     * Sets or changes tags.
     *
     * @throws {TypeError} for a name that cannot be one.
     */
    setTags(tags: Readonly<Record<string, unknown>>): void {
        requireValues('setTags', 'a tag', tags);
        for (const piece of pieces(texts(tags), MOST_TEXTS)) {
            this.write({ type: 'tags', time: Date.now(), tags: piece });
        }
    }

    /**
     * Notes a data set that the run has read.
     *
     * @throws {TypeError} where name, digest or source are missing or no text; {RangeError} for a digest of over 36 characters.
     */
    logInput(dataset: DatasetInput): void {
        requireDataset('logInput', dataset);
        this.write({ type: 'input', time: Date.now(), dataset });
    }

    /**
     * Keeps a file. One outside of the run folder is copied into its `artifacts` folder. `path` is its name among the artifacts;
     * default: its place in the run folder, or its own name.
     *
     * @throws {TypeError} for a path that leads elsewhere; {Error} the system's, where it is no file that can be read.
     */
    async logArtifact(file: string, path?: string): Promise<void> {
        if (!(await stat(file)).isFile()) throw new TypeError(`[logArtifact] ${file} is no file`);
        const inside = relative(resolve(this.folder), resolve(file));
        const isInside = inside !== '' && !inside.startsWith('..') && !isAbsolute(inside);
        const name = path ?? (isInside ? inside.split(sep).join('/') : basename(file));
        requireName('logArtifact', 'path', name);
        let place = inside;
        if (!isInside) {
            place = join('artifacts', ...name.split('/'));
            await makeFolders(join(this.folder, place, '..'));
            await copyFile(file, join(this.folder, place));
        }
        this.write({ type: 'artifact', time: Date.now(), file: place.split(sep).join('/'), path: name });
    }

    /** `logArtifact` of every file under a folder, under `path` where that is given. */
    async logArtifacts(folder: string, path?: string): Promise<void> {
        for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
            if (!entry.isFile()) continue;
            const file = join(entry.parentPath, entry.name);
            const name = relative(folder, file).split(sep).join('/');
            await this.logArtifact(file, path === undefined ? name : `${path}/${name}`);
        }
    }

    /**
     * Names a file among the run's artifacts as the next version of a registered model, where a server keeps such a list. The
     * `alias` moves to this version.
     *
     * @throws {TypeError} for a name or path that cannot be one.
     */
    registerModel(name: string, artifact: string, { alias }: { alias?: string } = {}): void {
        requireName('registerModel', 'name', name);
        requireName('registerModel', 'artifact', artifact);
        if (alias !== undefined) requireName('registerModel', 'alias', alias);
        const model = { name, artifact, ...(alias === undefined ? {} : { alias }) };
        this.write({ type: 'model', time: Date.now(), model });
    }

    /** Starts a run that is a part of this one, in a folder inside unless another is named. */
    startRun(
        options: Omit<RunOptions, 'folder' | 'parent'> & { name: string; folder?: string },
    ): Promise<Run> {
        requireName('startRun', 'name', options.name);
        const folder = options.folder ?? join(this.folder, 'runs', options.name);
        const experiment = this.start.experiment;
        return startRun({
            ...(experiment === undefined ? {} : { experiment }),
            ...options,
            folder,
            parent: this,
        });
    }

    /**
     * Waits until everything is on disk.
     *
     * @throws {FileWriteError} where the disk refuses it.
     */
    async flush(): Promise<void> {
        await this.log.sync();
    }

    /**
     * Ends the run, and waits at most `waitMs` (default: 10 s) for servers. A run may be started again in its folder.
     *
     * @throws {FileWriteError} where its last lines cannot be written.
     */
    async end(status: RunStatus = 'FINISHED', { waitMs = DEFAULT_WAIT_MS } = {}): Promise<RunReport> {
        if (this.ended) return { pending: [] };
        this.write({ type: 'end', time: Date.now(), status });
        return this.close(waitMs);
    }

    /**
     * Closes a run that goes on (`resumeLate`) before anything was noted: it stays what it was. Waits for servers as `end` does.
     *
     * @throws {Error} where something was noted, or the run is new.
     */
    async leave({ waitMs = DEFAULT_WAIT_MS } = {}): Promise<RunReport> {
        if (this.ended) return { pending: [] };
        if (!this.isAsBefore)
            throw new Error(`[leave] the run '${this.name}' is not what it was; call end(status)`);
        return this.close(waitMs);
    }

    private resume(): void {
        if (this.isAsBefore) this.log.append({ type: 'resume', time: Date.now() });
        this.isAsBefore = false;
    }

    private async close(waitMs: number): Promise<RunReport> {
        this.ended = true;
        try {
            // A disk that refuses the last lines must not keep the sinks open.
            const synced = this.log.sync();
            const left = await Promise.all(
                this.sinks.map(async (sink) => {
                    await synced.catch(() => undefined);
                    return sink.close(waitMs);
                }),
            );
            await synced;
            const { lost } = this.log;
            if (lost > 0) left.push(`${lost} metrics are lost: ${this.log.path} could not be written`);
            return { pending: left.filter((text) => text !== undefined) };
        } finally {
            this.log.close();
            this.lock.release();
        }
    }

    private write(record: LogRecord): void {
        if (this.ended) throw new Error(`[${record.type}] the run '${this.name}' has ended`);
        this.resume();
        this.log.append(record);
        for (const sink of this.sinks) sink.write(record);
    }
}

/**
 * Starts a run in a folder, or goes on with the one that is there.
 *
 * @throws {FolderLockedError} where another process writes it; {FileWriteError} where the folder cannot be written;
 * {RangeError} where the run that is there has another name.
 *
 * @example
 * import { mkdtempSync } from 'node:fs';
 * import { tmpdir } from 'node:os';
 * import { track } from 'nativegrad';
 * const run = await track.startRun({ folder: mkdtempSync(`${tmpdir()}/run-`), name: 'first' });
 * run.logParams({ lr: 0.1 });
 * run.logMetrics({ loss: 0.5 }, { step: 1 });
 * const { pending } = await run.end();
 * console.log(pending.length); // 0
 */
export async function startRun(options: RunOptions): Promise<Run> {
    const names = ['folder', 'name', 'experiment', 'tags', 'sinks', 'parent', 'resumeLate', 'onProblem'];
    requireOptionNames('[startRun]', options, names);
    const run = await Run.open(options);
    if (options.tags) run.setTags(options.tags);
    return run;
}

function newStart({ folder, name, experiment, parent }: RunOptions): StartRecord {
    return {
        type: 'start',
        version: 1,
        id: randomBytes(16).toString('hex'),
        name: name ?? basename(resolve(folder)),
        ...(experiment === undefined ? {} : { experiment }),
        ...(parent === undefined ? {} : { parent: { id: parent.id } }),
        time: Date.now(),
    };
}

function texts(values: object): Record<string, string> {
    const defined = Object.entries(values).filter(([, value]: [string, unknown]) => value !== undefined);
    return Object.fromEntries(defined.map(([name, value]: [string, unknown]) => [name, textOf(value)]));
}

function requireSameName(known: StartRecord, { folder, name }: RunOptions): void {
    if (name === undefined || name === known.name) return;
    throw new RangeError(
        `[startRun] ${folder} holds the run ${JSON.stringify(known.name)}, got the name ${JSON.stringify(name)}; leave the name out to go on with it, or give the new run a folder of its own`,
    );
}

/** The points that a run has already: one that goes on from a checkpoint repeats the steps behind it. */
function pointsOf(records: readonly LogRecord[]): Map<string, Map<number, StoredNumber>> {
    const points = new Map<string, Map<number, StoredNumber>>();
    for (const record of records) {
        if (record.type !== 'metrics') continue;
        for (const [name, value] of Object.entries(record.metrics)) {
            const own = points.get(name) ?? new Map<number, StoredNumber>();
            points.set(name, own.set(record.step, value));
        }
    }
    return points;
}
