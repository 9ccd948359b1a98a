import type { Batch } from '../data/index.js';
import type { ExponentialMovingAverage } from '../optim/moving_average.js';
import type { GradScaler } from '../optim/grad_scaler.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Callback, TrainableModel } from './callback.js';
import type { CheckpointStore } from './checkpoint_store.js';
import type { Precision } from './train_step.js';

/** What the trainer needs of an optimizer; those in `optim` have it. */
export interface StepOptimizer {
    zeroGrad(): void;
    step(): void;
    readonly learningRate: number;
}

/** A learning-rate schedule; `step` gets the validation loss (the training loss without validation data). */
export interface StepSchedule {
    step(metric?: number): void;
}

/** Batches, again and again: a `DataLoader`, an array, anything that can be iterated each epoch. */
export type Batches = (Iterable<Batch> | AsyncIterable<Batch>) & { readonly length?: number };

export interface TrainerOptions {
    model: TrainableModel;
    optimizer: StepOptimizer;
    /** Mean loss of a batch from the model's outputs and the targets, e.g. `nn.crossEntropy`. */
    loss: (outputs: Tensor, targets: Tensor) => Tensor;
    schedule?: StepSchedule;
    /**
     * An average of the model's weights, updated after each step. Validation, the hooks `onEpochEnd` and so what `Checkpoint`
     * and `EarlyStopping` keep are of the averaged weights; at the end of a fit the model has them. Checkpoints of a
     * `CheckpointStore` hold both.
     */
    average?: ExponentialMovingAverage;
    /** When the schedule steps. Default: epoch. */
    scheduleInterval?: 'step' | 'epoch';
    /**
     * Runs between backward and the optimizer's step, e.g. to clip gradients. Captured steps run it once an epoch, when they are
     * captured: its ops are part of every step, its JavaScript may depend on the epoch, not on the step.
     */
    beforeStep?: () => void;
    /**
     * 'bfloat16' and 'float16' run forward and loss under `autocast`; parameters, gradients and optimizer stay in their own
     * dtype, and so does evaluation. With 'float16' the loss is scaled (see `scaler`), which needs an optimizer of `optim`.
     * float16 is for GPUs: on the CPU operands become float32 as they are packed, which is slower than float32 itself.
     * Default: 'float32', the dtypes of the model.
     */
    precision?: Precision;
    /**
     * Scales the loss with precision 'float16'; default: `new optim.GradScaler()`. Steps with infinite or NaN gradients are
     * left out and counted in the history; their loss, where it is no number, enters no mean and ends nothing. After 50 in a
     * row the fit ends as 'diverged'. `beforeStep` sees unscaled gradients. One that is not enabled is as none.
     */
    scaler?: GradScaler;
    /**
     * Scales the gradients of the optimizer's parameters (the model's, with an optimizer that is none of `optim`) so that their
     * norm is at most this, after `beforeStep` (see `clipGradNorm`). Default: no limit.
     */
    gradientClip?: number;
    /**
     * Run steps as captured programs (see `capture`): 'auto' (default) does where that is possible and checks the first
     * replays, true throws where it is not, false goes op by op. The history's `execution` says what was done, and why.
     */
    capture?: boolean | 'auto';
    /**
     * Leave gradients in `.grad` after each captured step, for callbacks that look at them. Without, captured steps leave null
     * there and are faster (see `gradients` of `capture`); `beforeStep` and the optimizer see them either way. Default: false.
     */
    gradients?: boolean;
}

export interface FitOptions {
    epochs: number;
    /** Ends the fit after so many steps, in the middle of an epoch where need be. Default: no limit. */
    maxSteps?: number;
    /** Evaluated after every epoch. */
    validation?: Batches;
    callbacks?: readonly Callback[];
    /**
     * Saves the whole training as it goes; at the end and on `signal` as well. A save that fails is a warning, and the fit goes
     * on. Everything that decides what comes next is in it, but random numbers of your own.
     */
    checkpoints?: CheckpointStore;
    /**
     * Goes on from a checkpoint: 'auto' from the newest good one of `checkpoints`, or from the start where there is none; else a
     * folder `step-N`, or one of checkpoints. On the same instruction set the result has the bits of a fit that was never
     * interrupted, for any number of threads, also from the middle of an epoch. Make model, optimizer and loader as then.
     */
    resume?: 'auto' | (string & {});
    /** Ends the fit after the running steps (about 20 ms of them); the history says `interrupted`. */
    signal?: AbortSignal;
}

export interface Evaluation {
    readonly loss: number;
    /** Share of right classes; undefined when the targets are not classes. */
    readonly accuracy: number | undefined;
    readonly samples: number;
}
