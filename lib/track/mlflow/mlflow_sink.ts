import { lockFolder, type FolderLock } from '../../io/folder_lock.js';
import type { Sink, SinkContext, SinkMaker } from '../sink.js';
import { serverKey } from './cursor.js';
import { Lane, type LaneWork } from './lane.js';
import { MlflowApi, requireServer, type MlflowServer } from './mlflow_api.js';
import { countRecords } from './pieces.js';
import { Uploader } from './uploader.js';

/**
 * Sends a run to an MLflow server while it goes on. Everything is read from the run's log, so a server that is slow or gone costs
 * no memory and no time; what it does not have at the end, `nativegrad sync` sends later, each line once. A file that it does not
 * take is tried again, and holds up nothing.
 *
 * @throws {TypeError} where the address is none of a server.
 *
 * @example
 * import { mkdtempSync } from 'node:fs';
 * import { tmpdir } from 'node:os';
 * import { track } from 'nativegrad';
 * const run = await track.startRun({
 *     folder: mkdtempSync(`${tmpdir()}/run-`),
 *     experiment: 'digits',
 *     sinks: [track.mlflowSink({ uri: 'http://127.0.0.1:9' })], // nobody answers there
 *     onProblem: () => undefined,
 * });
 * run.logMetrics({ loss: 0.5 }, { step: 1 });
 * const { pending } = await run.end('FINISHED', { waitMs: 100 });
 * console.log(pending.length); // 1
 */
export function mlflowSink(server: MlflowServer): SinkMaker {
    // Refused here, not where the run has started.
    requireServer(server);
    return (context) => new MlflowSink(context, server);
}

class MlflowSink implements Sink {
    private readonly abort = new AbortController();
    private readonly api: MlflowApi;
    private readonly log: Lane;
    private readonly files: Lane;
    private hasMore = true;
    private lastProblem = '';
    private uploader: Uploader | undefined;
    private lock: FolderLock | undefined;

    constructor(
        private readonly context: SinkContext,
        server: MlflowServer,
    ) {
        const { signal } = this.abort;
        this.api = new MlflowApi(server, signal);
        this.log = new Lane(this.logWork(), server, signal);
        // A file that takes long, or is never taken, holds up no metric.
        this.files = new Lane(this.fileWork(), server, signal);
    }

    write(): void {
        this.hasMore = true;
    }

    async close(waitMs: number): Promise<string | undefined> {
        const timer = setTimeout(() => this.abort.abort(), waitMs);
        // What files there are, the log says.
        await this.log.close();
        await this.files.close();
        clearTimeout(timer);
        this.lock?.release();
        return this.left();
    }

    /** What the server does not have, and what brings it there. */
    private async left(): Promise<string | undefined> {
        const { folder, logPath } = this.context;
        const { uploader } = this;
        const records = await countRecords(logPath, uploader?.offset ?? 0).catch(() => undefined);
        const files = uploader?.files.left ?? [];
        if (records === 0 && files.length === 0) return undefined;
        const problem = this.lastProblem || uploader?.files.problem;
        const why = problem ? ` (${problem})` : '';
        return `${leftText(records, files)} not uploaded to ${this.api.uri} yet${why}; run \`nativegrad sync ${inShell(folder)} --tracking_uri ${this.api.uri}\``;
    }

    private logWork(): LaneWork {
        return {
            run: () => this.uploadLog(),
            hasMore: () => this.hasMore,
            onFailure: (failure) => this.tell(failure),
        };
    }

    /** What fails of it, the uploader tells. */
    private fileWork(): LaneWork {
        return {
            run: async () => this.uploader?.files.round(),
            hasMore: () => this.uploader?.files.hasMore ?? false,
        };
    }

    private async uploadLog(): Promise<void> {
        if (!this.hasMore) return;
        this.hasMore = false;
        try {
            const { folder, logPath, start, syncLog } = this.context;
            this.lock ??= await lockFolder(folder, `upload-${serverKey(this.api.uri)}`);
            // What comes meanwhile is on disk the next time.
            const until = await syncLog();
            this.uploader ??= new Uploader(this.api, { folder, logPath, start }, this.context.onProblem);
            while (await this.uploader.step(until)) this.abort.signal.throwIfAborted();
            await this.uploader.finish();
            this.lastProblem = '';
        } catch (error) {
            this.hasMore = true;
            throw error;
        }
    }

    private tell(failure: unknown): void {
        const text = failure instanceof Error ? failure.message : String(failure);
        const isNew = this.lastProblem === '';
        this.lastProblem = text;
        if (isNew)
            this.context.onProblem(
                `MLflow at ${this.api.uri}: ${text}; the run goes on, and its records wait in ${this.context.folder}`,
            );
    }
}

const MOST_NAMED = 3;

/** `4 records and the file model.safetensors are`. */
function leftText(records: number | undefined, files: readonly string[]): string {
    const named = files.slice(0, MOST_NAMED);
    const others = files.length - named.length;
    const parts = [
        ...(records === 0 ? [] : [records === undefined ? 'records' : counted(records, 'record')]),
        ...named,
        ...(others === 0 ? [] : [counted(others, 'other')]),
    ];
    const isOne = parts.length === 1 && (records === 1 || files.length === 1);
    const last = parts.pop() ?? '';
    return `${parts.length === 0 ? last : `${parts.join(', ')} and ${last}`} ${isOne ? 'is' : 'are'}`;
}

function counted(count: number, word: string): string {
    return `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** A path as a shell takes it. */
function inShell(path: string): string {
    return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
