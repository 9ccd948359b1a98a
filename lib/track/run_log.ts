import { closeSync, fdatasync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';

import { FileWriteError } from '../io/file_write_error.js';
import { parseRecord } from './records.js';
import type { LogRecord } from './records.js';

/** The run's log in its folder, one JSON object a line; all other places are filled from it. */
export const LOG_NAME = 'tracking.jsonl';

// What waits in memory while the disk refuses it; then metrics are left out.
const MOST_WAITING = 16 << 20;
const READ_BYTES = 1 << 20;
const NEW_LINE = 10;

const flushToDisk = promisify(fdatasync);

/**
 * Appends to a run's log. A line is handed to the system before `append` returns, so that the death of the process loses
 * nothing; a line that a death has torn is cut off when the log is opened again. What the disk refuses waits in memory and is
 * tried again with every later line.
 */
export class RunLog {
    private waiting: string[] = [];
    private waitingBytes = 0;
    /** Bytes of whole lines in the file. */
    private end: number;
    private hasTornEnd = false;
    private failure: FileWriteError | undefined;
    /** Metrics that found no place while the disk refused everything. */
    lost = 0;

    private constructor(
        readonly path: string,
        private readonly descriptor: number,
        private readonly onProblem: (text: string) => void,
    ) {
        this.end = wholeLines(descriptor);
        if (this.end < fstatSync(descriptor).size) ftruncateSync(descriptor, this.end);
    }

    /** Opens or creates a log. Whoever opens it must be the only one who writes: see `lockFolder`. */
    static open(path: string, onProblem: (text: string) => void): RunLog {
        try {
            return new RunLog(path, openSync(path, 'a+'), onProblem);
        } catch (cause) {
            throw new FileWriteError(path, cause);
        }
    }

    append(record: LogRecord): void {
        const line = `${JSON.stringify(record)}\n`;
        if (record.type === 'metrics' && this.waitingBytes + line.length > MOST_WAITING) {
            if (this.lost === 0)
                this.onProblem(`${this.path} waits for a disk that takes it; metrics are lost now`);
            this.lost += Object.keys(record.metrics).length;
            this.write();
            return;
        }
        this.waiting.push(line);
        this.waitingBytes += line.length;
        this.write();
    }

    /** Waits until everything is on disk, where it also survives a loss of power. Gives how many bytes that is. */
    async sync(): Promise<number> {
        this.write();
        if (this.failure) throw this.failure;
        // Lines that come meanwhile may be on disk or not.
        const { end } = this;
        try {
            await flushToDisk(this.descriptor);
        } catch (cause) {
            throw new FileWriteError(this.path, cause);
        }
        return end;
    }

    close(): void {
        closeSync(this.descriptor);
    }

    private write(): void {
        if (this.waiting.length === 0) return;
        const bytes = Buffer.from(this.waiting.join(''));
        try {
            if (this.hasTornEnd) ftruncateSync(this.descriptor, this.end);
            this.hasTornEnd = true;
            for (let done = 0; done < bytes.length;) done += writeSync(this.descriptor, bytes, done);
        } catch (cause) {
            this.fail(cause);
            return;
        }
        this.hasTornEnd = false;
        this.end += bytes.length;
        this.waiting = [];
        this.waitingBytes = 0;
        this.failure = undefined;
    }

    private fail(cause: unknown): void {
        const isFirst = this.failure === undefined;
        this.failure ??= new FileWriteError(this.path, cause);
        if (isFirst) this.onProblem(this.failure.message);
    }
}

/** Waits until all of a log is on disk that is there now, whoever writes it. Gives the bytes of its whole lines. */
export async function syncLog(path: string): Promise<number> {
    const handle = await open(path, 'r+');
    try {
        const end = wholeLines(handle.fd);
        await handle.datasync();
        return end;
    } finally {
        await handle.close();
    }
}

/** Whether a log has a line that ends at this byte, or begins there. One that a loss of power has cut short may not. */
export function isLineEnd(path: string, place: number): boolean {
    if (place <= 0) return place === 0;
    const descriptor = openSync(path, 'r');
    try {
        const byte = Buffer.alloc(1);
        return readSync(descriptor, byte, 0, 1, place - 1) === 1 && byte[0] === NEW_LINE;
    } finally {
        closeSync(descriptor);
    }
}

/** Bytes up to the end of the last line that has one. */
function wholeLines(descriptor: number): number {
    const { size } = fstatSync(descriptor);
    const bytes = Buffer.alloc(64 << 10);
    for (let stop = size; stop > 0;) {
        const start = Math.max(0, stop - bytes.length);
        const count = readSync(descriptor, bytes, 0, stop - start, start);
        const last = bytes.subarray(0, count).lastIndexOf(NEW_LINE);
        if (last >= 0) return start + last + 1;
        stop = start;
    }
    return 0;
}

/** A record and where its line ends. */
export interface PlacedRecord {
    readonly record: LogRecord | undefined;
    readonly end: number;
}

/**
 * Reads whole lines of a log from a byte on, about a megabyte of them and at least one. A last line without an end is left for
 * later: it is being written, or was torn; so is what ends behind the byte `until`. Lines that are no records are there as undefined.
 */
export async function readLog(
    path: string,
    from = 0,
    { until = Infinity, bytes = READ_BYTES } = {},
): Promise<PlacedRecord[]> {
    const handle = await open(path, 'r');
    try {
        const size = Math.min(until, (await handle.stat()).size);
        const buffer = Buffer.alloc(Math.max(0, Math.min(bytes, size - from)));
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, from);
        const placed = linesOf(buffer.subarray(0, bytesRead), from);
        if (placed.length > 0 || from + bytesRead >= size || bytesRead === 0) return placed;
    } finally {
        await handle.close();
    }
    return readLog(path, from, { until, bytes: 4 * bytes });
}

/** All of a log. */
export async function readWholeLog(path: string): Promise<LogRecord[]> {
    const records: LogRecord[] = [];
    for (let from = 0; ;) {
        const lines = await readLog(path, from);
        const last = lines.at(-1);
        if (last === undefined) return records;
        for (const { record } of lines) if (record) records.push(record);
        from = last.end;
    }
}

function linesOf(bytes: Buffer, from: number): PlacedRecord[] {
    const placed: PlacedRecord[] = [];
    for (let start = 0; ;) {
        const stop = bytes.indexOf(NEW_LINE, start);
        if (stop < 0) return placed;
        placed.push({ record: parseRecord(bytes.toString('utf8', start, stop)), end: from + stop + 1 });
        start = stop + 1;
    }
}
