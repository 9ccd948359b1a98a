export { FolderLockedError } from '../io/folder_lock.js';
export type {
    DatasetInput,
    LogRecord,
    ModelRegistration,
    RunStatus,
    StartRecord,
    StoredNumber,
} from './records.js';
export { findRuns } from './find_runs.js';
export { readRun, type MetricPoint, type RunRecord } from './read_run.js';
export { Run, startRun, type RunOptions, type RunReport } from './run.js';
export type { Sink, SinkContext, SinkMaker } from './sink.js';
export { sourceTags } from './source_tags.js';
export { logSystemMetrics, type GpuMemory, type SystemMetricsOptions } from './system_metrics.js';
export type { MlflowServer } from './mlflow/mlflow_api.js';
export { MlflowError, type FailureKind } from './mlflow/mlflow_error.js';
export { mlflowSink } from './mlflow/mlflow_sink.js';
export { syncRun, type SyncOptions } from './mlflow/sync_run.js';
export { tensorboardSink, type TensorboardOptions } from './tensorboard/tensorboard_sink.js';
