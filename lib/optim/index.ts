export {
    Optimizer,
    type CommonOptions,
    type OptimizerState,
    type ParamGroup,
    type Parameters,
} from './optimizer.js';
export { Adam, AdamW, type AdamOptions } from './adam.js';
export {
    GradScaler,
    type GradScalerOptions,
    type GradScalerState,
    type ScaledStepOptions,
} from './grad_scaler.js';
export {
    ExponentialMovingAverage,
    type MovingAverageOptions,
    type MovingAverageState,
} from './moving_average.js';
export { RMSprop, type RMSpropOptions } from './rmsprop.js';
export { SGD, type SGDOptions } from './sgd.js';
export { clipGradNorm, clipGradValue, type ClipGradNormOptions } from './clip.js';
export { Schedule, type ScheduledOptimizer, type ScheduleState } from './schedule.js';
export {
    ChainedLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    SequentialLR,
    StepLR,
} from './schedules.js';
export { OneCycleLR, type OneCycleOptions } from './one_cycle.js';
export { ReduceLROnPlateau, type PlateauOptions } from './plateau.js';
