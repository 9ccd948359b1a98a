import type { Tensor } from '../tensor/tensor.js';
import type { EpochRecord, History } from './history.js';

/** What the trainer needs of a model; `nn.Module` has it. */
export interface TrainableModel {
    forward(inputs: Tensor): Tensor;
    readonly training?: boolean;
    train(): unknown;
    eval(): unknown;
    parameters(): Iterable<Tensor>;
    stateDict(): Map<string, Tensor>;
    loadStateDict(state: ReadonlyMap<string, Tensor>): unknown;
}

/** What a callback sees of a running fit. */
export interface FitContext {
    readonly model: TrainableModel;
    readonly epochs: number;
    /** Steps of one epoch, where the loader knows. */
    readonly stepsPerEpoch: number | undefined;
    /** The epochs so far; those from before it was resumed as well. */
    readonly records: readonly EpochRecord[];
    /** True where the fit goes on from a checkpoint. */
    readonly resumed: boolean;
    /** The path of that checkpoint. */
    readonly resumedFrom: string | undefined;
    /** Ends the fit after the running epoch (after the running steps, when called from one). */
    stop(reason: string): void;
}

export interface StepRecord {
    /** Counts from 1. */
    readonly epoch: number;
    /** Counts from 1 in each epoch. */
    readonly step: number;
    readonly loss: number;
    /** Means over the epoch so far. */
    readonly meanLoss: number;
    readonly meanAccuracy: number | undefined;
    readonly learningRate: number;
}

/** Hooks into `Trainer.fit`; each may be asynchronous. `onTrainEnd` is called at every end, also after an error. */
export interface Callback {
    onTrainBegin?(context: FitContext): void | Promise<void>;
    onEpochBegin?(epoch: number, context: FitContext): void | Promise<void>;
    /** After each step, before the next one begins. Steps then run one at a time: where that is not needed, use `onStepsEnd`. */
    onStepEnd?(record: StepRecord, context: FitContext): void | Promise<void>;
    /** In place of `onStepEnd`: after one or more steps (about 20 ms of them), all of them done. */
    onStepsEnd?(records: readonly StepRecord[], context: FitContext): void | Promise<void>;
    onEpochEnd?(record: EpochRecord, context: FitContext): void | Promise<void>;
    /**
     * What a checkpoint keeps of the callback: numbers, texts, lists, plain objects, Maps, typed arrays and tensors; anything
     * else ends the fit with a TypeError that says where it is. `loadStateDict` gets it back before `onTrainBegin` of a
     * resumed fit, whose context says `resumed`: do not start anew there.
     */
    stateDict?(): unknown;
    loadStateDict?(state: unknown): void;
    onTrainEnd?(history: History, context: FitContext): void | Promise<void>;
}
