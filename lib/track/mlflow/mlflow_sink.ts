import { lockFolder, type FolderLock } from '../../io/folder_lock.js';
import type { Sink, SinkContext, SinkMaker } from '../sink.js';
import { serverKey } from './cursor.js';
import {
    DEFAULT_GATHER_MS,
    DEFAULT_RETRY_MS,
    MlflowApi,
    requireServer,
    type MlflowServer,
} from './mlflow_api.js';
import { MlflowError } from './mlflow_error.js';
import { countRecords } from './pieces.js';
import { Uploader } from './uploader.js';

const LONGEST_DELAY_MS = 60_000;
const CLOSING_DELAY_MS = 250;

/**
 * Sends a run to an MLflow server while it goes on. Everything is read from the run's log, so a server that is slow or gone costs
 * no memory and no time; what it does not have at the end, `nativegrad sync` sends later, each line once.
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
    private readonly finished: Promise<void>;
    private isClosing = false;
    private hasMore = true;
    private wake = (): void => undefined;
    private lastProblem = '';
    private uploader: Uploader | undefined;
    private lock: FolderLock | undefined;

    constructor(
        private readonly context: SinkContext,
        private readonly server: MlflowServer,
    ) {
        this.api = new MlflowApi(server, this.abort.signal);
        this.finished = this.run();
    }

    write(): void {
        this.hasMore = true;
    }

    async close(waitMs: number): Promise<string | undefined> {
        this.isClosing = true;
        this.wake();
        const timer = setTimeout(() => {
            this.abort.abort();
            this.wake();
        }, waitMs);
        await this.finished;
        clearTimeout(timer);
        this.lock?.release();
        const { folder, logPath } = this.context;
        const count = await countRecords(logPath, this.uploader?.offset ?? 0).catch(() => undefined);
        if (count === 0) return undefined;
        const records =
            count === undefined ? 'records' : `${count} ${count === 1 ? 'record is' : 'records are'}`;
        const why = this.lastProblem === '' ? '' : ` (${this.lastProblem})`;
        return `${records} not uploaded to ${this.api.uri} yet${why}; run \`nativegrad sync ${inShell(folder)} --tracking_uri ${this.api.uri}\``;
    }

    /** Never rejects: whatever happens here is no reason to end a run. */
    private async run(): Promise<void> {
        const { gatherMs = DEFAULT_GATHER_MS } = this.server;
        let asked = 0;
        for (let failures = 0; ;) {
            if (!this.isClosing)
                await this.pause(failures === 0 ? gatherMs : Math.max(asked, this.delay(failures)));
            const failure = await this.uploadAll();
            if (failure === undefined) {
                failures = 0;
                this.lastProblem = '';
                if (this.isClosing && !this.hasMore) return;
                continue;
            }
            if (this.abort.signal.aborted) return;
            failures++;
            asked = failure instanceof MlflowError ? failure.retryAfterMs : 0;
            this.tell(failure);
            if (failure instanceof MlflowError && failure.kind === 'closed') {
                if (!this.isClosing) await this.pause(undefined);
                return;
            }
            if (this.isClosing) await this.pause(Math.min(CLOSING_DELAY_MS, this.delay(failures)));
            if (this.abort.signal.aborted) return;
        }
    }

    /** Sends what is there; gives what was in the way. */
    private async uploadAll(): Promise<unknown> {
        if (!this.hasMore) return undefined;
        this.hasMore = false;
        try {
            const { folder, logPath, start, syncLog } = this.context;
            this.lock ??= await lockFolder(folder, `upload-${serverKey(this.api.uri)}`);
            // A server must not have what a loss of power takes from the log.
            await syncLog();
            this.uploader ??= new Uploader(this.api, { folder, logPath, start }, this.context.onProblem);
            while (await this.uploader.step()) this.abort.signal.throwIfAborted();
            await this.uploader.finish();
            return undefined;
        } catch (error) {
            this.hasMore = true;
            return error ?? new Error('unknown');
        }
    }

    private delay(failures: number): number {
        const { retryMs = DEFAULT_RETRY_MS } = this.server;
        const delay = Math.min(LONGEST_DELAY_MS, retryMs * 2 ** Math.min(failures - 1, 10));
        // Many runs should not come back at one moment.
        return delay * (0.5 + 0.5 * Math.random());
    }

    /** Until `close`, or for so long; keeps no process alive. */
    private pause(ms: number | undefined): Promise<void> {
        return new Promise((done) => {
            const timer = ms === undefined ? undefined : setTimeout(done, ms);
            timer?.unref();
            this.wake = () => {
                clearTimeout(timer);
                done();
            };
        });
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

/** A path as a shell takes it. */
function inShell(path: string): string {
    return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
