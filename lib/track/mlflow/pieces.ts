import type { LogRecord, StoredNumber } from '../records.js';
import { readLog } from '../run_log.js';

export interface Metric {
    readonly key: string;
    readonly value: StoredNumber;
    readonly timestamp: number;
    readonly step: number;
}

type Single = Extract<LogRecord, { type: 'resume' | 'params' | 'artifact' | 'input' | 'model' | 'end' }>;

/** What one request takes, and where it ends in the log. */
export type Piece = { readonly end: number } & (
    | { readonly kind: 'metrics'; readonly metrics: readonly Metric[] }
    | { readonly kind: 'tags'; readonly tags: ReadonlyMap<string, string> }
    | { readonly kind: 'record'; readonly record: Single }
    | { readonly kind: 'nothing' }
);

// MLflow takes 1000 metrics, 100 tags and a megabyte in a request.
const MOST_METRICS = 1000;
const MOST_TAGS = 100;
const MOST_BYTES = 700_000;

/**
 * The next piece of a log between two bytes: as many lines of metrics or of tags as fit in one request, else one line. Undefined
 * where there is none.
 */
export async function nextPiece(path: string, from: number, until: number): Promise<Piece | undefined> {
    const lines = await readLog(path, from, { until });
    let piece: Piece | undefined;
    for (const { record, end } of lines) {
        if (piece !== undefined && end - from > MOST_BYTES) return piece;
        const joined = join(piece, record, end);
        if (joined === undefined) return piece;
        piece = joined;
    }
    return piece;
}

/** A piece with one more line; undefined where it does not belong to it. */
function join(piece: Piece | undefined, record: LogRecord | undefined, end: number): Piece | undefined {
    const isEmpty = piece === undefined || piece.kind === 'nothing';
    // A line that is no record, and the first one, which the run was made from.
    if (record === undefined || record.type === 'start') {
        if (piece?.kind === 'record') return undefined;
        return { ...(piece ?? { kind: 'nothing' }), end };
    }
    if (record.type === 'metrics') {
        const { step, time: timestamp } = record;
        const own = Object.entries(record.metrics).map(([key, value]) => ({ key, value, timestamp, step }));
        if (isEmpty) return { kind: 'metrics', metrics: own, end };
        if (piece.kind !== 'metrics' || piece.metrics.length + own.length > MOST_METRICS) return undefined;
        return { kind: 'metrics', metrics: [...piece.metrics, ...own], end };
    }
    if (record.type === 'tags') {
        if (isEmpty) return { kind: 'tags', tags: new Map(Object.entries(record.tags)), end };
        if (piece.kind !== 'tags') return undefined;
        const tags = new Map([...piece.tags, ...Object.entries(record.tags)]);
        return tags.size > MOST_TAGS ? undefined : { kind: 'tags', tags, end };
    }
    return isEmpty ? { kind: 'record', record, end } : undefined;
}

/** Lines between two bytes that a server has still to get. */
export async function countRecords(path: string, from: number, until = Infinity): Promise<number> {
    let count = 0;
    for (let place = from; ;) {
        const lines = await readLog(path, place, { until });
        const last = lines.at(-1);
        if (last === undefined) return count;
        count += lines.filter(({ record }) => record !== undefined && record.type !== 'start').length;
        place = last.end;
    }
}
