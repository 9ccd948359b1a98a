import { isDeepStrictEqual } from 'node:util';

import { readCursor, writeCursor, type Cursor, type WaitingRecord } from './cursor.js';

type Changes = Partial<Omit<Cursor, 'version' | 'uri' | 'id'>>;

/** The cursor of a run on a server, in memory and on disk; two may change it at once. */
export class CursorFile {
    private cursor: Cursor | undefined;
    private written: Cursor | undefined;
    /** Up to where the file says that something may have been sent. */
    private announced = 0;
    private saved: Promise<void> = Promise.resolve();

    constructor(
        private readonly folder: string,
        uri: string,
        id: string,
    ) {
        this.cursor = this.written = readCursor(folder, uri, id);
    }

    /** Undefined where nothing was sent yet. */
    get value(): Cursor | undefined {
        return this.cursor;
    }

    get waiting(): readonly WaitingRecord[] {
        return this.cursor?.waiting ?? [];
    }

    begin(cursor: Cursor): void {
        this.cursor = cursor;
    }

    /** In memory: `save` brings it to disk. */
    change(changes: Changes): void {
        if (this.cursor !== undefined) this.cursor = { ...this.cursor, ...changes };
    }

    /** Puts a record aside; a later one of the same path or model stands for the earlier one. */
    postpone(record: WaitingRecord): void {
        const others = this.waiting.filter((each) => keyOf(each) !== keyOf(record));
        this.change({ waiting: [...others, record] });
    }

    /** A record of that path that came meanwhile stays. */
    settle(record: WaitingRecord): void {
        this.change({ waiting: this.waiting.filter((each) => each !== record) });
    }

    /** On disk when it returns: what ends there may be on the server from now on. */
    announce(end: number): Promise<void> {
        this.announced = Math.max(this.announced, end);
        return this.save();
    }

    /** On disk when it returns, one writer after the other. */
    save(): Promise<void> {
        const write = async (): Promise<void> => {
            const { cursor } = this;
            if (cursor === undefined) return;
            const next = { ...cursor, sending: Math.max(cursor.sending, this.announced) };
            if (isDeepStrictEqual(next, this.written)) return;
            await writeCursor(this.folder, next);
            this.written = next;
        };
        this.saved = this.saved.then(write, write);
        return this.saved;
    }
}

function keyOf(record: WaitingRecord): string {
    return record.type === 'artifact'
        ? `artifact ${record.path}`
        : `model ${record.model.name} ${record.model.artifact}`;
}
