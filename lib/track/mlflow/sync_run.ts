import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { lockFolder } from '../../io/folder_lock.js';
import { readRun } from '../read_run.js';
import type { StartRecord } from '../records.js';
import { LOG_NAME, readLog, syncLog } from '../run_log.js';
import { serverKey } from './cursor.js';
import type { FileUploader } from './file_uploader.js';
import { DEFAULT_RETRY_MS, MlflowApi, type MlflowServer } from './mlflow_api.js';
import { MlflowError } from './mlflow_error.js';
import { countRecords } from './pieces.js';
import { Uploader } from './uploader.js';

const TRIES = 5;

export interface SyncOptions {
    /** Told what the server refuses. */
    readonly onProblem?: (text: string) => void;
    /** How often a request is tried that may work later. Default: 5. */
    readonly tries?: number;
}

/**
 * Sends to an MLflow server what it does not have of the run in a folder; a line that it has is not sent again, whoever was
 * interrupted before. The run may be going on. One whose process died becomes FAILED.
 *
 * @returns How many records were sent.
 * @throws {RangeError} where the folder holds no run; {FolderLockedError} where another process uploads it; {MlflowError} where
 * the server does not take it; a later call goes on from there.
 *
 * @example
 * import { mkdtempSync } from 'node:fs';
 * import { tmpdir } from 'node:os';
 * import { track } from 'nativegrad';
 * const folder = mkdtempSync(`${tmpdir()}/run-`);
 * await (await track.startRun({ folder })).end();
 * // Nobody answers there.
 * const sent = track.syncRun(folder, { uri: 'http://127.0.0.1:9' }, { tries: 1 });
 * console.log(await sent.catch((error: Error) => error.name)); // MlflowError
 */
export async function syncRun(
    folder: string,
    server: MlflowServer,
    { onProblem = () => undefined, tries = TRIES }: SyncOptions = {},
): Promise<number> {
    const api = new MlflowApi(server, new AbortController().signal);
    const patience = { tries, retryMs: server.retryMs ?? DEFAULT_RETRY_MS };
    const logPath = join(folder, LOG_NAME);
    const start = await startOf(folder, logPath);
    const lock = await lockFolder(folder, `upload-${serverKey(api.uri)}`);
    // Requests keep no process alive by themselves.
    const alive = setInterval(() => undefined, 1 << 30);
    try {
        const until = await syncLog(logPath);
        const uploader = new Uploader(api, { folder, logPath, start }, onProblem);
        const records = await countRecords(logPath, uploader.offset, until);
        const count = records + uploader.files.left.length;
        while (await again(patience, () => uploader.step(until)));
        // Also where nothing was left: the run that it is a part of may have come meanwhile.
        await again(patience, () => uploader.finish());
        const run = await readRun(folder);
        if (run?.status === 'DIED')
            await again(patience, () => uploader.setFailed(run.endTime ?? Date.now()));
        await sendFiles(uploader.files, patience);
        return count;
    } finally {
        clearInterval(alive);
        lock.release();
    }
}

interface Patience {
    readonly tries: number;
    readonly retryMs: number;
}

/** Repeats what may work later. */
async function again<Result>({ tries, retryMs }: Patience, action: () => Promise<Result>): Promise<Result> {
    for (let i = 1; ; i++) {
        try {
            return await action();
        } catch (error) {
            const isWorthIt =
                error instanceof MlflowError && (error.kind === 'later' || error.kind === 'unknown');
            if (!isWorthIt || i >= tries) throw error;
            await sleep(Math.max(error.retryAfterMs, retryMs * 2 ** (i - 1)));
        }
    }
}

/** Files come last, and one that fails keeps no other from the server. */
async function sendFiles(files: FileUploader, patience: Patience): Promise<void> {
    let failure: MlflowError | undefined;
    try {
        await again(patience, () => files.round());
    } catch (error) {
        if (!(error instanceof MlflowError)) throw error;
        failure = error;
    }
    const { left, problem } = files;
    if (left.length === 0) return;
    const rest = left.length === 1 ? '' : `, and ${left.length - 1} more`;
    throw new MlflowError('refused', `not uploaded: ${problem}${rest}; the next sync tries again`, '', 0, {
        cause: failure,
    });
}

async function startOf(folder: string, logPath: string): Promise<StartRecord> {
    const lines = await readLog(logPath).catch(() => []);
    const record = lines.map((line) => line.record).find((each) => each?.type === 'start');
    if (record?.type === 'start') return record;
    throw new RangeError(`[syncRun] ${folder} holds no tracked run (there is no ${LOG_NAME})`);
}
