import { statSync } from 'node:fs';
import { resolve } from 'node:path';

import { FileWriteError } from '../io/file_write_error.js';
import { FolderLockedError } from '../io/folder_lock.js';
import { findRuns } from '../track/find_runs.js';
import type { RunRecord } from '../track/read_run.js';
import { MlflowError } from '../track/mlflow/mlflow_error.js';
import { syncRun } from '../track/mlflow/sync_run.js';
import { EXIT } from './exit_codes.js';
import type { RawFlags } from './flags.js';
import { shownPath } from './shown_path.js';
import type { Streams } from './streams.js';
import { readSyncConfig } from './sync_flags.js';
import { mlflowServer } from './tracking_server.js';
import { UsageError } from './usage_error.js';

/** In a row, of runs that the server does not take as it does others. */
const MOST_FAILURES = 3;

/** Sends what an MLflow server does not have of the runs in folders. */
export async function syncCommand(raw: RawFlags, { out, err }: Streams): Promise<number> {
    const config = readSyncConfig(raw);
    const server = mlflowServer(config.trackingUri, process.env);
    const folders = await runFolders(config.folders);
    const done: { folder: string; records: number }[] = [];
    let [isWhole, failures] = [true, 0];
    for (const [index, folder] of folders.entries()) {
        const shown = shownPath(folder);
        const onProblem = (text: string): void => void err.write(`nativegrad: warning: ${shown}: ${text}\n`);
        try {
            const records = await syncRun(folder, server, { onProblem });
            failures = 0;
            done.push({ folder: shown, records });
            if (!config.json) out.write(`${shown}: ${told(records)}\n`);
        } catch (error) {
            if (!isOfOneRun(error)) throw error;
            isWhole = false;
            err.write(`nativegrad: ${shown}: ${error.message}\n`);
            // A run may have been deleted there; that several in a row fail is the server's doing, and the others would meet the same.
            failures = error instanceof MlflowError && error.kind !== 'refused' ? failures + 1 : 0;
            if (failures < MOST_FAILURES) continue;
            const left = folders.length - index - 1;
            if (left > 0) err.write(`nativegrad: ${server.uri}: ${leftOut(left)}\n`);
            break;
        }
    }
    if (config.json) out.write(`${JSON.stringify(done)}\n`);
    return isWhole ? EXIT.done : EXIT.failed;
}

function leftOut(folders: number): string {
    const what = folders === 1 ? '1 further folder was' : `${folders} further folders were`;
    return `the server took none of ${MOST_FAILURES} runs in a row; ${what} not tried, run the same again later`;
}

/** What one run fails by, while others may go on: the server, another process, or the files of its folder. */
function isOfOneRun(error: unknown): error is Error {
    return (
        error instanceof MlflowError ||
        error instanceof FolderLockedError ||
        error instanceof FileWriteError ||
        (error instanceof Error && 'syscall' in error)
    );
}

function told(records: number): string {
    if (records === 0) return 'nothing to send';
    return records === 1 ? '1 record sent' : `${records} records sent`;
}

/** In the order of their paths, but a run stands before its parts, which name it. */
async function runFolders(places: readonly string[]): Promise<string[]> {
    const found = new Map<string, RunRecord>();
    for (const place of places) {
        if (!statSync(place, { throwIfNoEntry: false })?.isDirectory())
            throw new UsageError(
                `there is no folder ${place}; name run folders, or a folder with runs below`,
            );
        const runs = await findRuns(resolve(place));
        if (runs.length === 0) throw new UsageError(`there is no tracked run in ${place}`);
        for (const run of runs) found.set(run.folder, run);
    }
    const runs = [...found.values()].sort((a, b) => (a.folder < b.folder ? -1 : 1));
    const byId = new Map(runs.map((run) => [run.id, run]));
    const ordered = new Set<string>();
    for (const run of runs) {
        const line: RunRecord[] = [];
        let next: RunRecord | undefined = run;
        while (next !== undefined && !line.includes(next)) {
            line.unshift(next);
            next = byId.get(next.parentId ?? '');
        }
        for (const { folder } of line) ordered.add(folder);
    }
    return [...ordered];
}
