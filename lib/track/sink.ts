import type { LogRecord, StartRecord } from './records.js';

/** What a further place for a run's records is given. */
export interface SinkContext {
    /** The run folder. */
    readonly folder: string;
    readonly logPath: string;
    readonly start: StartRecord;
    /** Brings the log to disk; what a server has must not be younger than what the run folder has. */
    readonly syncLog: () => Promise<void>;
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
