import type { LogRecord, StartRecord } from './records.js';

/** What a further place for a run's records is given. */
export interface SinkContext {
    /** The run folder. */
    readonly folder: string;
    readonly logPath: string;
    readonly start: StartRecord;
    /**
     * Brings the log to disk, and gives up to which byte it is there: what stands behind it may be lost with power, and no other
     * place must have what the log has not.
     */
    readonly syncLog: () => Promise<number>;
    /** Told in a sentence what went wrong, once each. */
    readonly onProblem: (text: string) => void;
}

/** A place that records go to beside the run's log; nothing of it may slow or stop the run. */
export interface Sink {
    /** After the record is in the log. */
    write(record: LogRecord): void;
    /** Waits at most so long for what is under way; gives what is left to do, if anything is. */
    close(waitMs: number): Promise<string | undefined>;
}

export type SinkMaker = (context: SinkContext) => Sink;
