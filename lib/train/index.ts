export type { Callback, FitContext, StepRecord, TrainableModel } from './callback.js';
export { Checkpoint, type CheckpointOptions } from './checkpoint.js';
export {
    CheckpointStore,
    loadCheckpoint,
    type CheckpointState,
    type CheckpointStoreOptions,
    type LoadedCheckpoint,
    type SaveDetails,
} from './checkpoint_store.js';
export { CheckpointError, type CheckpointErrorCode } from '../io/checkpoint/checkpoint_error.js';
export {
    crossValidate,
    type CrossValidation,
    type CrossValidationOptions,
    type FoldBatches,
    type FoldContext,
    type FoldFigures,
    type FoldResult,
    type FoldSetup,
} from './cross_validate.js';
export { EarlyStopping, type EarlyStoppingOptions } from './early_stopping.js';
export type { EpochRecord, History, MonitoredName, StopReason } from './history.js';
export { CsvHistory, JsonLinesHistory, type JsonLinesOptions } from './history_files.js';
export * from './metrics.js';
export { calibration, type Calibration, type CalibrationBin } from './calibration.js';
export {
    precisionRecallCurve,
    rocCurve,
    type PrecisionRecallCurve,
    type RocCurve,
} from './ranking_metrics.js';
export { Progress } from './progress.js';
export { TrackingCallback, type TrackingOptions } from './tracking_callback.js';
export { Trainer } from './trainer.js';
export type { Batches, Evaluation, FitOptions, StepOptimizer, TrainerOptions } from './trainer_options.js';
export {
    buildClassifier,
    initializeClassifier,
    type ClassifierInit,
    type ClassifierOptions,
} from './classifier.js';
export { classifierLoss, type ClassifierLossName } from './classifier_loss.js';
export { scoreClassifier, type ClassifierLoss, type Score } from './score.js';
