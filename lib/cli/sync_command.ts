import { realpathSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { FileWriteError } from '../io/file_write_error.js';
import { FolderLockedError } from '../io/folder_lock.js';
import { findRuns } from '../track/find_runs.js';
import type { RunRecord } from '../track/read_run.js';
import { MlflowError } from '../track/mlflow/mlflow_error.js';
import { syncRun } from '../track/mlflow/sync_run.js';
import { LOG_NAME, readWholeLog } from '../track/run_log.js';
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
    const { folders, copies } = await runFolders(config.folders);
    const done: { folder: string; records: number }[] = [];
    let [isWhole, failures] = [copies.length === 0, 0];
    for (const { folder, of } of copies)
        err.write(`nativegrad: warning: ${shownPath(folder)}: ${copyText(shownPath(of))}\n`);
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

function copyText(original: string): string {
    return `not sent: it is a copy of ${original}, the same run for a server, where both would become one; remove one of them, or sync the one that counts alone`;
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

interface RunFolders {
    /** In the order of their paths, but a run stands before its parts, which name it. */
    readonly folders: readonly string[];
    /** Folders whose run another one has under the same identity, with a newer log or as new a one. */
    readonly copies: readonly { readonly folder: string; readonly of: string }[];
}

async function runFolders(places: readonly string[]): Promise<RunFolders> {
    const runs = await runsIn(places);
    const byId = await newestById(runs);
    const copies: { folder: string; of: string }[] = [];
    const ordered = new Set<string>();
    for (const run of runs) {
        const newest = byId.get(run.id) ?? run;
        if (newest !== run) copies.push({ folder: run.folder, of: newest.folder });
        else for (const { folder } of withWholes(run, byId)) ordered.add(folder);
    }
    return { folders: [...ordered], copies };
}

/** A run behind those that it is a part of. */
function withWholes(run: RunRecord, byId: ReadonlyMap<string, RunRecord>): RunRecord[] {
    const line: RunRecord[] = [];
    let next: RunRecord | undefined = run;
    while (next !== undefined && !line.includes(next)) {
        line.unshift(next);
        next = byId.get(next.parentId ?? '');
    }
    return line;
}

async function newestById(runs: readonly RunRecord[]): Promise<Map<string, RunRecord>> {
    const groups = new Map<string, RunRecord[]>();
    for (const run of runs) groups.set(run.id, [...(groups.get(run.id) ?? []), run]);
    const byId = new Map<string, RunRecord>();
    for (const [id, same] of groups) {
        const [newest] = await newestFirst(same);
        if (newest !== undefined) byId.set(id, newest);
    }
    return byId;
}

/**
 * A run and its copies, the one that was written to last before the others; where they are level, one that is running, or has
 * more records. A copy that was made while the run went on looks like a run that died.
 */
async function newestFirst(copies: readonly RunRecord[]): Promise<readonly RunRecord[]> {
    if (copies.length < 2) return copies;
    const aged = await Promise.all(copies.map(async (run) => ({ run, ...(await extentOf(run)) })));
    aged.sort((a, b) => b.time - a.time || b.running - a.running || b.records - a.records);
    return aged.map(({ run }) => run);
}

interface Extent {
    readonly time: number;
    readonly running: number;
    readonly records: number;
}

/** How far the log of a run goes. A user may log points under any times, also earlier ones later. */
async function extentOf({ folder, status }: RunRecord): Promise<Extent> {
    const log = await readWholeLog(join(folder, LOG_NAME)).catch(() => []);
    const time = log.reduce((latest, record) => Math.max(latest, record.time), 0);
    return { time, running: Number(status === 'RUNNING'), records: log.length };
}

/** Each once, in the order of their paths, also where links lead to them. */
async function runsIn(places: readonly string[]): Promise<RunRecord[]> {
    const found = new Map<string, RunRecord>();
    for (const place of places) {
        if (!statSync(place, { throwIfNoEntry: false })?.isDirectory())
            throw new UsageError(
                `there is no folder ${place}; name run folders, or a folder with runs below`,
            );
        const runs = await findRuns(resolve(place));
        if (runs.length === 0) throw new UsageError(`there is no tracked run in ${place}`);
        for (const run of runs) found.set(realpathSync(run.folder), run);
    }
    return [...found.values()].sort((a, b) => (a.folder < b.folder ? -1 : 1));
}
