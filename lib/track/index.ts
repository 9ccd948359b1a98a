export { FolderLockedError } from '../io/folder_lock.js';
export type { DatasetInput, LogRecord, RunStatus, StartRecord, StoredNumber } from './records.js';
export { Run, startRun, type RunOptions, type RunReport } from './run.js';
export type { Sink, SinkContext, SinkMaker } from './sink.js';
