import type { ProgramCall } from '../native/program.js';
import { describeValue } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import type { Tensor } from '../tensor/tensor.js';
import type { CaptureName } from './members.js';
import type { CaptureOptions, CaptureStatistics, InternalCaptureOptions, RunOptions } from './options.js';
import { requireRunOptions } from './run_options.js';
import { StepRunner, type RunnerOptions } from './step_runner.js';

export type { CaptureOptions, CaptureStatistics, ProgramReport, RunOptions } from './options.js';

const optionNames = Object.keys({
    validate: true,
    fuse: true,
    gradients: true,
} satisfies Record<keyof CaptureOptions, true>);

/** A step that runs as a native program. */
export interface CapturedStep<Inputs extends readonly Tensor[], Result> {
    /** One step, now. Results are tensors of the caller's. */
    (...inputs: Inputs): Result;
    /** One step on another thread; the event loop stays free. Who uses what the step writes meanwhile waits for its end. */
    async(...inputs: Inputs): Promise<Result>;
    /**
     * `steps` steps on another thread. Each input has one more axis in front, with an entry for each of the steps; so have
     * the results.
     * Ended by the signal, it resolves with the steps done so far.
     */
    run(
        steps: number,
        inputs: Inputs,
        options?: RunOptions<Result>,
    ): Promise<{ readonly steps: number; readonly result: Result }>;
    /** Runs `steps` steps on the same inputs, and says what each op call of a step takes on average. */
    profile(steps: number, ...inputs: Inputs): ProgramCall[];
    readonly statistics: CaptureStatistics;
}

/**
 * Makes a native program of a training step (or any function of tensors): the function runs once without executing anything,
 * its op calls, backward pass and optimizer step are written down, and every call replays them in one native call, without
 * JavaScript, allocation or tape. Learning rates, step numbers, dropout probabilities and random offsets are read anew for
 * each step; so results are those of the function itself, bit for bit but for what `fuse` puts together.
 *
 * A program holds for the shapes, dtypes and strides of its inputs and for what the function read: train or eval mode, frozen
 * parameters, parameter objects, gradients from before the step. Where one of these differs, another program is made and
 * kept beside it; `statistics.programs` tells the reason for each. What else the function does in JavaScript happens once, when it is captured: numbers that change must come
 * in as 0-d tensors. Gradients that it leaves in `.grad` are overwritten by the next call; a step whose gradients nobody reads
 * afterwards is faster with `gradients: false`.
 *
 * Reading values inside (`item()`, `data()`, printing, ops whose result shape depends on values) throws a `CaptureError` that names the
 * line. Inputs must not require gradients and must not be written; inside, the step sees other tensor objects in their place.
 * The function returns tensors, in arrays or objects where there are several; these take no part in gradients. A captured step
 * that another one calls becomes part of it; inside of `detectAnomaly` the function itself runs, op by op. An op that fails in
 * the middle of a replay leaves what was written before it, and step counts moved on.
 *
 * @throws CaptureError when the step cannot be captured; nothing is changed then. CaptureMismatchError where `validate` finds
 * that the step and its program differ.
 * @example
 * import { capture, nn, optim, randn, randint } from 'nativegrad';
 * const model = new nn.Sequential(new nn.Linear(784, 32), new nn.ReLU(), new nn.Linear(32, 10));
 * const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
 * const step = capture((x, y) => {
 *     optimizer.zeroGrad();
 *     const loss = nn.crossEntropy(model.forward(x), y);
 *     loss.backward();
 *     optimizer.step();
 *     return loss;
 * });
 * const loss = step(randn([64, 784]), randint(0, 10, [64]));
 * console.log(loss.item() > 0); // true
 */
export function capture<Inputs extends readonly Tensor[] = Tensor[], Result = unknown>(
    step: (...inputs: Inputs) => Result,
    options: CaptureOptions = {},
): CapturedStep<Inputs, Result> {
    requireOptionNames('[capture]', options, optionNames);
    return captureInParts(step, options);
}

/** @internal As `capture`, with more options. */
export function captureInParts<Inputs extends readonly Tensor[], Result>(
    step: (...inputs: Inputs) => Result,
    options: InternalCaptureOptions<Inputs, Result>,
): CapturedStep<Inputs, Result> {
    if (typeof step !== 'function')
        throw new TypeError(`[capture] expected the step as a function of tensors, got ${typeof step}`);
    const runner = new StepRunner([step], runnerOptions('capture', options));
    const captured = (...inputs: Inputs): Result => only(runner.call([inputs]));
    Object.defineProperty(captured, 'statistics', { get: () => runner.statistics });
    return Object.assign(captured, {
        async: async (...inputs: Inputs): Promise<Result> => only(await runner.callAsync([inputs])),
        run: async (steps: number, inputs: Inputs, options: RunOptions<Result> = {}) => {
            const { steps: done, results } = await runner.run(steps, [inputs], ofLists(options));
            return { steps: done, result: only(results) };
        },
        profile: (steps: number, ...inputs: Inputs) => runner.profile(steps, inputs),
    }) as CapturedStep<Inputs, Result>;
}

/** @internal */
export function runnerOptions<Inputs extends readonly Tensor[], Result>(
    name: CaptureName,
    options: InternalCaptureOptions<Inputs, Result>,
): RunnerOptions<Inputs, Result> {
    const { validate: checked = 0, fuse = true, gradients = true, inParts } = options;
    if (typeof checked !== 'boolean' && !(Number.isInteger(checked) && checked >= 0))
        throw new RangeError(
            `[${name}] validate must be a boolean or a count of calls, got ${String(checked)}`,
        );
    for (const [option, value] of Object.entries({ fuse, gradients })) {
        if (typeof value !== 'boolean')
            throw new TypeError(`[${name}] ${option} must be true or false, got ${describeValue(value)}`);
    }
    const validatedUses = typeof checked === 'number' ? checked : checked ? Infinity : 0;
    return { name, validatedUses, recording: { fuse, gradients }, inParts };
}

/** The options of a run of one step for the runner, whose results are lists. */
function ofLists<Result>(options: RunOptions<Result>): RunOptions<Result[]> {
    requireRunOptions('capture', options);
    const { onProgress, ...others } = options;
    return onProgress
        ? { ...others, onProgress: (done, results) => onProgress(done, only(results)) }
        : others;
}

function only<Result>(results: readonly Result[]): Result {
    const [result] = results;
    return result;
}
