import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { writeFileAtomic } from '../../io/atomic_file.js';
import { isLogRecord, type LogRecord } from '../records.js';
import { isLineEnd, LOG_NAME } from '../run_log.js';

/** What goes its own way, so that nothing waits for it: a file, and a model whose file must be there first. */
export type WaitingRecord = Extract<LogRecord, { type: 'artifact' | 'model' }>;

/** How far a run's log is on one server; a file in the run folder. */
export interface Cursor {
    readonly version: 1;
    readonly uri: string;
    /** Our own id of the run. */
    readonly id: string;
    readonly runId: string;
    readonly experimentId: string;
    readonly artifactUri: string;
    /** Bytes of the log that the server has for certain. */
    readonly offset: number;
    /** Up to where something was sent of which no answer has come: the server may have it, or not. */
    readonly sending: number;
    /** What stands before `offset` and is not there yet. */
    readonly waiting: readonly WaitingRecord[];
    /** The parent's run on the server, once it was found. */
    readonly parentRunId?: string;
    /** The offset at which the server was told that the process died. */
    readonly diedAt?: number;
}

/** Tells the files of servers apart. */
export function serverKey(uri: string): string {
    return createHash('sha256').update(uri).digest('hex').slice(0, 8);
}

export function cursorPath(folder: string, uri: string): string {
    return join(folder, `tracking.mlflow-${serverKey(uri)}.json`);
}

/**
 * The cursor of a run on a server; undefined where there is none, or none that makes sense, as where the log has become another one,
 * e.g. by a loss of power: all is then compared with the server.
 */
export function readCursor(folder: string, uri: string, id: string): Cursor | undefined {
    const path = cursorPath(folder, uri);
    if (!existsSync(path)) return undefined;
    try {
        const value = JSON.parse(readFileSync(path, 'utf8')) as Partial<Record<keyof Cursor, unknown>>;
        const texts = [value.runId, value.experimentId, value.artifactUri];
        const isWhole =
            value.version === 1 &&
            value.uri === uri &&
            value.id === id &&
            texts.every((text) => typeof text === 'string') &&
            [value.offset, value.sending].every((place) => Number.isSafeInteger(place));
        return isWhole && isLineEnd(join(folder, LOG_NAME), Number(value.offset))
            ? ({ ...value, waiting: waitingOf(value.waiting) } as Cursor)
            : undefined;
    } catch {
        return undefined;
    }
}

function waitingOf(value: unknown): WaitingRecord[] {
    const records: readonly unknown[] = Array.isArray(value) ? value : [];
    return records
        .filter(isLogRecord)
        .filter((record): record is WaitingRecord => record.type === 'artifact' || record.type === 'model');
}

/** On disk when it returns, whole or not at all. */
export function writeCursor(folder: string, cursor: Cursor): Promise<void> {
    return writeFileAtomic(cursorPath(folder, cursor.uri), `${JSON.stringify(cursor)}\n`);
}
