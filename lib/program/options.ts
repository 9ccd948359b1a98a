import type { ProgramSize } from '../native/program.js';
import type { Tensor } from '../tensor/tensor.js';

/** A program of a captured step. */
export interface ProgramReport extends ProgramSize {
    /**
     * Why it was made, when none of those before it fit: 'it is the first', 'input 0 changed from [64, 784] to [32, 784]',
     * "BatchNorm2d 'features.1' is in eval mode now", "parameter 'weight' of Linear 'head' is another one now".
     */
    readonly reason: string;
    /**
     * How its steps run after the first one: 'graph' is one launch a step, on a GPU ('graph of 3 models': one for all of
     * them; behind ', apart: ' come the kernels that each model launches by itself); 'calls' is op by op, on the CPU, and on a
     * GPU with the reason: 'calls, until it has run once', 'calls, since no graph was made: ...'.
     */
    readonly execution: string;
    /** The number of the model in the list that `captureModels` got; undefined for `capture`. */
    readonly model?: number;
}

/** Counters of a captured step. */
export interface CaptureStatistics {
    /** Programs made so far, one for each kind of input and mode. */
    readonly captures: number;
    /** Steps run. */
    readonly replays: number;
    /** The programs that are kept, with the reason for each; the one that was used last comes first. */
    readonly programs: readonly ProgramReport[];
}

export interface CaptureOptions {
    /**
     * So many calls of each program are checked against the step itself, whose values they must equal (as 0 and -0 do, and
     * any two NaN); true for all of them. With `fuse`, the calls that were put together run, too, and their results, the
     * tensors that they write and their gradients must equal those of single calls, but where fused batch norm adds up in
     * another order. What comes from there may be off by rounding, and updates by a share of how far they go. Costs the time
     * of all of these. Finds numbers that the step took from JavaScript and that have changed since. Default: 0.
     */
    readonly validate?: number | boolean;
    /**
     * Put calls together that need fewer passes over memory that way: linear layers with activations and residuals, and
     * their gradients with masks, sums for the bias and the optimizer's step (see `gradients`); convolutions with relu and
     * its mask; batch norm with its statistics, relu and 2x2 max-pooling; chains of elementwise functions. On the CPU all of
     * these have the bits of the single calls but batch norm's statistics behind a convolution and its gradients behind
     * pooling, which are added up in another order: what is computed from them differs from the step's own by rounding, and
     * false keeps its bits. Where an input shares memory with a tensor that the step writes, calls stay as they are.
     * Default: true.
     */
    readonly fuse?: boolean;
    /**
     * Leave gradients in `.grad` after each call, as the step does. With false, `.grad` of what the step computes gradients
     * for is null after a call, and a linear layer's gradients can go into the optimizer's step (Adam, AdamW, SGD) without
     * ever being written to memory. Gradients that the step itself looks at (clipping, norms, accumulation) are what they are
     * either way. Default: true.
     */
    readonly gradients?: boolean;
}

/** @internal For loops that keep the event loop free. */
export interface InternalCaptureOptions<Inputs extends readonly Tensor[], Result> extends CaptureOptions {
    /** The step in parts, for checks of `async` calls. It frees its own tensors. */
    readonly inParts?: (...inputs: Inputs) => Promise<Result>;
}

/** Several steps in one go. */
export interface RunOptions<Result = unknown> {
    /**
     * Called after every chunk with the number of steps done and the results of this chunk's steps: views of the run's results,
     * so that a loss can be watched without waiting for the end. They are gone when the callback has ended; `clone()` what is
     * to stay. A promise is waited for. Where it throws or rejects, the run ends with that error, and the steps are done.
     */
    readonly onProgress?: (stepsDone: number, results: Result) => unknown;
    /** Ends the run between two chunks. */
    readonly signal?: AbortSignal;
    /** Steps of one native call; what a cancellation waits for. Default: about 20 ms worth of them. */
    readonly chunk?: number;
}
