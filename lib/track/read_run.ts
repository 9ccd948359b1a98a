import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { isFolderLocked } from '../io/folder_lock.js';
import type { DatasetInput, LogRecord, ModelRegistration, RunStatus } from './records.js';
import { LOG_NAME, readWholeLog } from './run_log.js';

/** A value of a metric. */
export interface MetricPoint {
    readonly step: number;
    readonly value: number;
    /** Milliseconds since 1970. */
    readonly time: number;
}

/** What a run folder tells of its run. */
export interface RunRecord {
    readonly folder: string;
    readonly id: string;
    readonly name: string;
    readonly experiment: string | undefined;
    readonly parentId: string | undefined;
    /** RUNNING: its process lives; DIED: it ended without a word, e.g. by SIGKILL or a loss of power. */
    readonly status: RunStatus | 'RUNNING' | 'DIED';
    /** Milliseconds since 1970, of its first start. */
    readonly startTime: number;
    /** Of its last line, where it does not run. */
    readonly endTime: number | undefined;
    readonly params: ReadonlyMap<string, string>;
    readonly tags: ReadonlyMap<string, string>;
    /** One point a step, the last that was logged there; in the order in which the steps were first logged. */
    readonly metrics: ReadonlyMap<string, readonly MetricPoint[]>;
    /** `file`: relative to the folder; `path`: among the artifacts. */
    readonly artifacts: readonly { readonly file: string; readonly path: string }[];
    readonly inputs: readonly DatasetInput[];
    readonly models: readonly ModelRegistration[];
}

/**
 * Reads what a folder holds of its run; undefined where no run was tracked there. The run may be going on.
 *
 * @throws {Error} the system's, where the file cannot be read.
 *
 * @example
 * import { mkdtempSync } from 'node:fs';
 * import { tmpdir } from 'node:os';
 * import { track } from 'nativegrad';
 * const folder = mkdtempSync(`${tmpdir()}/run-`);
 * const run = await track.startRun({ folder });
 * run.logMetrics({ loss: 0.5 }, { step: 1 });
 * await run.end();
 * const read = await track.readRun(folder);
 * console.log(read?.status, read?.metrics.get('loss')?.at(-1)?.value); // FINISHED 0.5
 */
export async function readRun(folder: string): Promise<RunRecord | undefined> {
    const path = join(folder, LOG_NAME);
    if (!existsSync(path)) return undefined;
    // Before the log: a run that ends in between has its last line in it.
    const isRunning = await isFolderLocked(folder, 'tracking');
    return summarize(folder, await readWholeLog(path), isRunning);
}

function summarize(folder: string, log: readonly LogRecord[], isRunning: boolean): RunRecord | undefined {
    const start = log.find((record) => record.type === 'start');
    const last = log.at(-1);
    if (start === undefined || last === undefined) return undefined;
    const of = <Type extends LogRecord['type']>(type: Type): Extract<LogRecord, { type: Type }>[] =>
        log.filter((record): record is Extract<LogRecord, { type: Type }> => record.type === type);
    // Also while its lock is still there: the end is the last thing that it writes.
    const status = last.type === 'end' ? last.status : isRunning ? 'RUNNING' : 'DIED';
    const artifacts = of('artifact').map(({ file, path }): [string, { file: string; path: string }] => [
        path,
        { file, path },
    ]);
    return {
        folder,
        id: start.id,
        name: start.name,
        experiment: start.experiment,
        parentId: start.parent?.id,
        status,
        startTime: start.time,
        endTime: status === 'RUNNING' ? undefined : last.time,
        params: new Map(of('params').flatMap(({ params }) => Object.entries(params))),
        tags: new Map(of('tags').flatMap(({ tags }) => Object.entries(tags))),
        metrics: historyOf(of('metrics')),
        artifacts: [...new Map(artifacts).values()],
        inputs: of('input').map(({ dataset }) => dataset),
        models: of('model').map(({ model }) => model),
    };
}

/** A run that goes on from a checkpoint logs the steps behind it again. */
function historyOf(records: readonly Extract<LogRecord, { type: 'metrics' }>[]): Map<string, MetricPoint[]> {
    const history = new Map<string, Map<number, MetricPoint>>();
    for (const { step, time, metrics } of records) {
        for (const [name, stored] of Object.entries(metrics)) {
            const points = history.get(name) ?? new Map<number, MetricPoint>();
            history.set(name, points.set(step, { step, value: Number(stored), time }));
        }
    }
    return new Map([...history].map(([name, points]) => [name, [...points.values()]]));
}
