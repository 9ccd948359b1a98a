import { isDetectingAnomaly } from '../autograd/anomaly.js';
import { scope } from '../autograd/scope.js';
import { CaptureError } from '../native/capture_error.js';
import type { ProgramCall } from '../native/program.js';
import { activeTracer } from '../native/tracer.js';
import { describeValue, isList } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import { shapeText } from '../tensor/shape.js';
import { viewOf, type Tensor } from '../tensor/tensor.js';
import type { CapturedProgram } from './captured_program.js';
import type { CaptureStatistics, RunOptions } from './options.js';
import { ProgramCache, type FittingProgram } from './program_cache.js';
import { replaceTensors, tensorsOf } from './results.js';
import { checkInputs, entries, firstEntry } from './step_inputs.js';
import { validate, validateAsync } from './validate.js';

/** One native call of `run` takes about this long, so that a signal is heard in time. */
const chunkMilliseconds = 20;

/** Runs a step through its programs: at once, on another thread, many at a time. */
export class StepRunner<Inputs extends readonly Tensor[], Result> {
    private readonly cache: ProgramCache<Inputs, Result>;
    private replays = 0;
    private isRunning = false;
    private stepMilliseconds = 1;

    constructor(
        private readonly step: (...inputs: Inputs) => Result,
        validatedUses: number,
        fuse: boolean,
        private readonly inParts?: (...inputs: Inputs) => Promise<Result>,
    ) {
        this.cache = new ProgramCache(step, validatedUses, fuse);
    }

    call(inputs: Inputs): Result {
        if (activeTracer() || isDetectingAnomaly()) return this.opByOp(inputs);
        const { program, given, isChecked } = this.programFor(inputs);
        this.replays++;
        if (isChecked) return validate(program, () => this.step(...inputs), given);
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

    /** The step itself. */
    private directly(inputs: Inputs): Result | Promise<Result> {
        return this.inParts?.(...inputs) ?? scope(() => this.step(...inputs));
    }

    async callAsync(inputs: Inputs): Promise<Result> {
        if (isDetectingAnomaly()) return this.opByOp(inputs);
        const { program, given, isChecked } = this.programFor(inputs);
        this.replays++;
        if (isChecked) return this.exclusively(validateAsync(program, () => this.directly(inputs), given));
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

    private programFor(
        inputs: readonly unknown[],
        sampleOf: (x: Tensor) => Tensor = (x) => x,
    ): FittingProgram<Result> {
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
        return this.cache.programFor(inputs, sampleOf);
    }

    get statistics(): CaptureStatistics {
        return {
            captures: this.cache.captures,
            replays: this.replays,
            programs: this.cache.sizes,
        };
    }
}
