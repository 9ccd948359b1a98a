export type { Callback, FitContext, StepRecord, TrainableModel } from './callback.js';
export { EarlyStopping, type EarlyStoppingOptions } from './early_stopping.js';
export type { EpochRecord, History, MonitoredName, StopReason } from './history.js';
export { CsvHistory, JsonLinesHistory } from './history_files.js';
export * from './metrics.js';
export { Progress } from './progress.js';
export {
    Trainer,
    type Batches,
    type Evaluation,
    type FitOptions,
    type StepOptimizer,
    type TrainerOptions,
} from './trainer.js';
export { buildClassifier, initializeClassifier, type ClassifierInit } from './classifier.js';
export { classifierDataset } from './classifier_data.js';
export { classifierLoss } from './classifier_loss.js';
export {
    mnistSpec,
    parseClassifierSpec,
    ClassifierSpecError,
    type ClassifierSpec,
} from './classifier_spec.js';
export { loadClassifier, saveClassifier } from './model_file.js';
export { ModelFileError } from './model_file_error.js';
export { scoreClassifier, type ClassifierLoss, type Score } from './score.js';
