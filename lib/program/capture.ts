import { isDetectingAnomaly } from '../autograd/anomaly.js';
import { autocastDtype } from '../autograd/autocast.js';
import { isGradEnabled } from '../autograd/grad_mode.js';
import { scope } from '../autograd/scope.js';
import { describeValue, isList } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import { shapeText } from '../tensor/shape.js';
import { Tensor, viewOf } from '../tensor/tensor.js';
import type { ProgramCall, ProgramSize } from '../native/program.js';
import { CapturedProgram } from './captured_program.js';
import { CaptureError } from '../native/capture_error.js';
import { activeTracer } from '../native/tracer.js';
import { replaceTensors, tensorsOf } from './results.js';
import { validate, validateAsync } from './validate.js';

/** Counters of a captured step. */
export interface CaptureStatistics {
    /** Programs made so far, one for each kind of input and mode. */
    readonly captures: number;
    /** Steps run. */
    readonly replays: number;
    /** Sizes of the programs that are kept. */
    readonly programs: readonly ProgramSize[];
}

export interface CaptureOptions {
    /**
     * So many calls of each program are checked against the step itself, bit for bit; true for all of them. Costs the time of
     * both. Finds numbers that the step took from JavaScript and that have changed since. Default: 0.
     */
    readonly validate?: number | boolean;
    /**
     * Put calls together that need fewer passes over memory that way (batch norm with relu and 2x2 max-pooling). Gradients
     * that come from sums in another order then differ from the step's own by rounding; false keeps its bits. Default: true.
     */
    readonly fuse?: boolean;
}

const optionNames = Object.keys({ validate: true, fuse: true } satisfies Record<keyof CaptureOptions, true>);

/** @internal For loops that keep the event loop free. */
export interface InternalCaptureOptions<Inputs extends readonly Tensor[], Result> extends CaptureOptions {
    /** The step in parts, for checks of `async` calls. It frees its own tensors. */
    readonly inParts?: (...inputs: Inputs) => Promise<Result>;
}

/** Several steps in one go. */
export interface RunOptions {
    /** Called after every chunk of steps with the number done. */
    readonly onProgress?: (stepsDone: number) => void;
    /** Ends the run between two chunks. */
    readonly signal?: AbortSignal;
    /** Steps of one native call; what a cancellation waits for. Default: about 20 ms worth of them. */
    readonly chunk?: number;
}

/** A step that runs as a native program. */
export interface CapturedStep<Inputs extends readonly Tensor[], Result> {
    /** One step, now. Results are tensors of the caller's. */
    (...inputs: Inputs): Result;
    /** One step on another thread; the event loop stays free. Who uses what the step writes meanwhile waits for its end. */
    async(...inputs: Inputs): Promise<Result>;
    /**
     * `steps` steps on another thread. Each input has one more axis in front, with an entry a step; so have the results.
     * Ended by the signal, it resolves with the steps done so far.
     */
    run(
        steps: number,
        inputs: Inputs,
        options?: RunOptions,
    ): Promise<{ readonly steps: number; readonly result: Result }>;
    /** Runs `steps` steps on the same inputs, and says what each op call of a step takes on average. */
    profile(steps: number, ...inputs: Inputs): ProgramCall[];
    readonly statistics: CaptureStatistics;
}

/** Programs of one step that are kept; the one that was not used for the longest time goes first. */
const maxPrograms = 16;
/** So many programs in a row that were used only once mean that something differs in every call. */
const wastedLimit = 8;

const chunkMilliseconds = 20;

/** Dtypes and layouts of the tensors, and which of them each input is. */
function signatureOf(samples: readonly Tensor[], places: readonly number[]): string {
    const parts = samples.map(({ dtype, shape, strides }) => `${dtype}:${shape.join()}:${strides.join()}`);
    return `${isGradEnabled() ? 'grad' : 'no grad'}|${autocastDtype() ?? ''}|${places.join()}|${parts.join('|')}`;
}

/** The first entry along the first axis, as the step sees it. */
function firstEntry(x: Tensor): Tensor {
    return viewOf(x, x.shape.slice(1), x.strides.slice(1));
}

function entries(tensors: readonly Tensor[], first: number, count: number): Tensor[] {
    return tensors.map((x) =>
        viewOf(x, [count, ...x.shape.slice(1)], x.strides, first * (x.strides[0] ?? 0)),
    );
}

function checkInputs(inputs: readonly unknown[]): asserts inputs is readonly Tensor[] {
    inputs.forEach((input, i) => {
        if (!(input instanceof Tensor))
            throw new TypeError(
                `[capture] input ${i} must be a Tensor, got ${typeof input}; numbers that change go in as 0-d tensors`,
            );
        if (input.isDisposed)
            throw new Error(`[capture] input ${i} of shape ${shapeText(input.shape)} was disposed`);
        if (input.needsGrad)
            throw new CaptureError(
                `[capture] input ${i} of shape ${shapeText(input.shape)} requires a gradient; use a parameter from outside ` +
                    'the step, or detach() it',
            );
    });
}

interface CacheEntry<Result> {
    readonly signature: string;
    readonly program: CapturedProgram<Result>;
    uses: number;
}

class StepRunner<Inputs extends readonly Tensor[], Result> {
    /** Most recently used first. */
    private readonly entries: CacheEntry<Result>[] = [];
    private captures = 0;
    private replays = 0;
    private isRunning = false;
    private hasWarned = false;
    private stepMilliseconds = 1;

    constructor(
        private readonly step: (...inputs: Inputs) => Result,
        private readonly validatedUses: number,
        private readonly fuse: boolean,
        private readonly inParts?: (...inputs: Inputs) => Promise<Result>,
    ) {}

    call(inputs: Inputs): Result {
        if (activeTracer() || isDetectingAnomaly()) return this.opByOp(inputs);
        const { program, given } = this.programFor(inputs);
        this.replays++;
        if (this.mustValidate) return validate(program, () => this.step(...inputs), given);
        const outputs = program.newOutputs(1, false);
        program.runNow(program.prepare(1, given, outputs, false));
        return program.resultOf(outputs);
    }

    /**
     * The step without a program, with results as a program gives them: as part of another step that is being captured, and in
     * anomaly mode, which looks at each op.
     */
    private opByOp(inputs: Inputs): Result {
        checkInputs(inputs);
        const result = scope(() => this.step(...inputs));
        const detached = tensorsOf(result).map((x) => viewOf(x, x.shape, x.strides));
        return replaceTensors(result, detached[Symbol.iterator]());
    }

    /** The program in front was used so little that its calls are still checked. */
    private get mustValidate(): boolean {
        return (this.entries[0]?.uses ?? 0) <= this.validatedUses;
    }

    /** The step itself. */
    private directly(inputs: Inputs): Result | Promise<Result> {
        return this.inParts?.(...inputs) ?? scope(() => this.step(...inputs));
    }

    async callAsync(inputs: Inputs): Promise<Result> {
        if (isDetectingAnomaly()) return this.opByOp(inputs);
        const { program, given } = this.programFor(inputs);
        this.replays++;
        if (this.mustValidate)
            return this.exclusively(validateAsync(program, () => this.directly(inputs), given));
        const outputs = program.newOutputs(1, false);
        await this.exclusively(program.runAsync(program.prepare(1, given, outputs, false)));
        return program.resultOf(outputs);
    }

    async run(
        steps: number,
        inputs: Inputs,
        options: RunOptions,
    ): Promise<{ steps: number; result: Result }> {
        this.checkSteps(steps, inputs, options);
        const { program, given } = this.programFor(inputs, firstEntry);
        const outputs = program.newOutputs(steps, true);
        let done = 0;
        while (done < steps && !options.signal?.aborted) {
            if (!program.isValid)
                throw new Error(
                    `[capture] what the step depends on (a mode, a parameter) was changed from outside after ${done} steps`,
                );
            const count = Math.min(steps - done, options.chunk ?? this.chunkSteps());
            await this.runChunk(program, entries(given, done, count), entries(outputs, done, count), count);
            done += count;
            options.onProgress?.(done);
        }
        return {
            steps: done,
            result: program.resultOf(done === steps ? outputs : entries(outputs, 0, done)),
        };
    }

    profile(steps: number, inputs: Inputs): ProgramCall[] {
        if (!Number.isInteger(steps) || steps < 1)
            throw new RangeError(
                `[capture] profile takes a positive number of steps before the inputs, got ${describeValue(steps)}`,
            );
        const { program, given } = this.programFor(inputs);
        const total = new Map<number, ProgramCall>();
        for (let step = 0; step < steps; step++) {
            const prepared = program.prepare(1, given, program.newOutputs(1, false), false);
            program.profile(prepared).forEach((call, i) => {
                const milliseconds = (total.get(i)?.milliseconds ?? 0) + call.milliseconds / steps;
                total.set(i, { ...call, milliseconds });
            });
            this.replays++;
        }
        return [...total.values()];
    }

    private checkSteps(steps: number, inputs: readonly Tensor[], options: RunOptions): void {
        requireOptionNames('[capture]', options, ['onProgress', 'signal', 'chunk']);
        if (!isList(inputs))
            throw new TypeError(
                `[capture] run takes the inputs of the step in a list, got ${describeValue(inputs)}; ` +
                    'write run(steps, [x, y])',
            );
        checkInputs(inputs);
        const { chunk = 1 } = options;
        if (!Number.isInteger(steps) || steps < 0 || !Number.isInteger(chunk) || chunk < 1)
            throw new RangeError(
                `[capture] steps and chunk must be positive integers, got ${steps} and ${chunk}`,
            );
        inputs.forEach(({ shape }, i) => {
            if ((shape[0] ?? 0) < Math.max(steps, 1))
                throw new RangeError(
                    `[capture] input ${i} of shape ${shapeText(shape)} has too few entries for ${steps} steps; ` +
                        'its first axis counts the steps',
                );
        });
    }

    private async runChunk(
        program: CapturedProgram<Result>,
        inputs: readonly Tensor[],
        outputs: readonly Tensor[],
        count: number,
    ): Promise<void> {
        const begin = performance.now();
        await this.exclusively(program.runAsync(program.prepare(count, inputs, outputs, true)));
        this.stepMilliseconds = (performance.now() - begin) / count;
        this.replays += count;
        for (const part of [...inputs, ...outputs]) part.dispose();
    }

    private chunkSteps(): number {
        return Math.max(1, Math.floor(chunkMilliseconds / this.stepMilliseconds));
    }

    private async exclusively<T>(running: Promise<T>): Promise<T> {
        this.isRunning = true;
        try {
            return await running;
        } finally {
            this.isRunning = false;
        }
    }

    /**
     * The program that fits these inputs now, or a new one, and the tensors that it takes: each of the inputs once.
     * `sampleOf` gives what the step sees of an input.
     */
    private programFor(
        inputs: readonly unknown[],
        sampleOf: (x: Tensor) => Tensor = (x) => x,
    ): { program: CapturedProgram<Result>; given: Tensor[] } {
        checkInputs(inputs);
        if (activeTracer())
            throw new CaptureError(
                '[capture] async(), run() and profile() start a program, which a step that is being captured cannot wait for; ' +
                    'call the inner step itself, and it becomes part of the outer one',
            );
        if (this.isRunning)
            throw new Error(
                '[capture] this step is still running on another thread; await it before the next call',
            );
        const given = [...new Set(inputs)];
        const places = inputs.map((input) => given.indexOf(input));
        const samples = given.map(sampleOf);
        const signature = signatureOf(samples, places);
        const at = this.entries.findIndex((entry) => entry.signature === signature && entry.program.isValid);
        const found = at >= 0 ? this.entries.splice(at, 1)[0] : undefined;
        const entry = found ?? { signature, program: this.record(samples, places), uses: 0 };
        entry.uses++;
        if (entry.uses === this.validatedUses + 1) entry.program.dropExact();
        this.entries.unshift(entry);
        return { program: entry.program, given };
    }

    private record(samples: readonly Tensor[], places: readonly number[]): CapturedProgram<Result> {
        const program = CapturedProgram.record(
            (...given) => {
                const inputs = places.map((place) => given[place]);
                return this.step(...(inputs as readonly unknown[] as Inputs));
            },
            samples,
            { fuse: this.fuse, exact: this.validatedUses > 0 },
        );
        this.captures++;
        while (this.entries.length >= maxPrograms) this.entries.pop();
        this.warnIfWasteful();
        return program;
    }

    private warnIfWasteful(): void {
        const wasted = this.entries.filter(({ uses }) => uses === 1).length;
        if (this.hasWarned || wasted < wastedLimit) return;
        this.hasWarned = true;
        process.emitWarning(
            `[capture] ${wasted} programs of one step were used only once: its inputs' shapes, or what it reads, differ ` +
                'in nearly every call; drop short batches, or call the step itself',
            { code: 'NATIVEGRAD_RECAPTURE' },
        );
    }

    get statistics(): CaptureStatistics {
        return {
            captures: this.captures,
            replays: this.replays,
            programs: this.entries.map(({ program }) => program.size),
        };
    }
}

/**
 * Makes a native program of a training step (or any function of tensors): the function runs once without executing anything,
 * its op calls, backward pass and optimizer step are written down, and every call replays them in one native call, without
 * JavaScript, allocation or tape. Learning rates, step numbers, dropout probabilities and random offsets are read anew for
 * each step; so results are those of the function itself, bit for bit but for what `fuse` puts together.
 *
 * A program holds for the shapes, dtypes and strides of its inputs and for what the function read: train or eval mode, frozen
 * parameters, parameter objects, gradients from before the step. Where one of these differs, another program is made and
 * kept beside it. What else the function does in JavaScript happens once, when it is captured: numbers that change must come
 * in as 0-d tensors. Gradients that it leaves in `.grad` are overwritten by the next call.
 *
 * Reading values inside (`item()`, `data()`, ops whose result shape depends on values) throws a `CaptureError` that names the
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
    const { validate: checked = 0 } = options;
    if (typeof checked !== 'boolean' && !(Number.isInteger(checked) && checked >= 0))
        throw new RangeError(
            `[capture] validate must be a boolean or a count of calls, got ${String(checked)}`,
        );
    const runner = new StepRunner(
        step,
        typeof checked === 'number' ? checked : checked ? Infinity : 0,
        options.fuse ?? true,
        options.inParts,
    );
    const captured = (...inputs: Inputs): Result => runner.call(inputs);
    Object.defineProperty(captured, 'statistics', { get: () => runner.statistics });
    return Object.assign(captured, {
        async: (...inputs: Inputs): Promise<Result> => runner.callAsync(inputs),
        run: (steps: number, inputs: Inputs, options: RunOptions = {}) => runner.run(steps, inputs, options),
        profile: (steps: number, ...inputs: Inputs) => runner.profile(steps, inputs),
    }) as CapturedStep<Inputs, Result>;
}
