import { isDetectingAnomaly } from '../autograd/anomaly.js';
import { scope } from '../autograd/scope.js';
import { run } from '../native/call.js';
import { CaptureError } from '../native/capture_error.js';
import type { ProgramCall } from '../native/program.js';
import { activeTracer } from '../native/tracer.js';
import { describeValue } from '../support/describe_value.js';
import { viewOf, type Tensor } from '../tensor/tensor.js';
import { at, Members, prepareRuns, resultsOf, runsOf, type CaptureName, type Run } from './members.js';
import type { CaptureStatistics, RunOptions } from './options.js';
import type { FittingProgram } from './program_cache.js';
import type { RecordingOptions } from './record_step.js';
import { runTogether, runTogetherAsync } from './replays.js';
import { replaceTensors, tensorsOf } from './results.js';
import { checkStacked, nameEntries, requireRunOptions, requireSteps } from './run_options.js';
import { checkInputs, emptyEntry, entries, entryAt, firstEntry } from './step_inputs.js';
import { validate, validateAsync } from './validate.js';

/** One native call of `run` takes about this long, so that a signal is heard in time. */
const chunkMilliseconds = 20;

export interface RunnerOptions<Inputs extends readonly Tensor[], Result> {
    readonly name: CaptureName;
    readonly validatedUses: number;
    readonly recording: RecordingOptions;
    /** The step in parts, for checks of `async` calls of a single step. */
    readonly inParts?: ((...inputs: Inputs) => Promise<Result>) | undefined;
}

const itself = (x: Tensor): Tensor => x;

/**
 * Runs a step through its programs: at once, in the background, many at a time; or the steps of several models side by side.
 * Inputs and results are lists with an entry for each model.
 */
export class StepRunner<Inputs extends readonly Tensor[], Result> {
    private readonly members: Members<Inputs, Result>;
    private replays = 0;
    private isRunning = false;
    private stepMilliseconds = 1;

    constructor(
        steps: readonly ((...inputs: Inputs) => Result)[],
        private readonly options: RunnerOptions<Inputs, Result>,
    ) {
        const { name, validatedUses, recording } = options;
        this.members = new Members(name, steps, validatedUses, recording);
    }

    /** Goes on with the members at these positions. */
    keep(positions: readonly number[]): void {
        this.requireIdle('drop');
        this.members.keep(positions);
    }

    call(inputs: readonly Inputs[]): Result[] {
        if (activeTracer() || isDetectingAnomaly()) return this.opByOp(inputs);
        const fitting = this.programsFor(inputs);
        this.replays++;
        if (fitting.some(({ isChecked }) => isChecked))
            return fitting.map((fit, i) => {
                const step = (): Result => this.members.step(i)(...at(inputs, i));
                return this.members.named(i, () =>
                    fit.isChecked ? validate(fit.program, step, fit.given) : at(this.runNow([fit]), 0),
                );
            });
        return this.runNow(fitting);
    }

    private runNow(fitting: readonly FittingProgram<Result>[]): Result[] {
        const runs = runsOf(fitting, 1, false);
        runTogether(prepareRuns(runs, 1, false));
        return resultsOf(runs);
    }

    /**
     * The steps without programs, with results as programs give them: as part of another step that is being captured, and in
     * anomaly mode, which looks at each op.
     */
    private opByOp(inputs: readonly Inputs[]): Result[] {
        return this.members.map(inputs, (step, own) => {
            checkInputs(own);
            const result = scope(() => step(...own));
            const detached = tensorsOf(result).map((x) => viewOf(x, x.shape, x.strides));
            return replaceTensors(result, detached[Symbol.iterator]());
        });
    }

    async callAsync(inputs: readonly Inputs[]): Promise<Result[]> {
        if (isDetectingAnomaly()) return this.opByOp(inputs);
        const fitting = this.programsFor(inputs);
        this.replays++;
        if (fitting.some(({ isChecked }) => isChecked))
            return this.exclusively(() => this.validateEach(fitting, inputs));
        return this.exclusively(() => this.runInBackground(fitting));
    }

    private async runInBackground(fitting: readonly FittingProgram<Result>[]): Promise<Result[]> {
        const runs = runsOf(fitting, 1, false);
        await runTogetherAsync(prepareRuns(runs, 1, false));
        return resultsOf(runs);
    }

    /** One model after the other; those whose program needs no check just run. */
    private async validateEach(
        fitting: readonly FittingProgram<Result>[],
        inputs: readonly Inputs[],
    ): Promise<Result[]> {
        const results: Result[] = [];
        for (const [i, fit] of fitting.entries()) {
            const step = (): Result | Promise<Result> => this.directly(i, at(inputs, i));
            const own = await this.members.namedAsync(i, async () =>
                fit.isChecked
                    ? [await validateAsync(fit.program, step, fit.given)]
                    : this.runInBackground([fit]),
            );
            results.push(...own);
        }
        return results;
    }

    /** The step itself. */
    private directly(i: number, inputs: Inputs): Result | Promise<Result> {
        return this.options.inParts?.(...inputs) ?? scope(() => this.members.step(i)(...inputs));
    }

    /** The whole of it is one call: other calls of the step, also those from `onProgress`, are refused until it ends. */
    async run(
        steps: number,
        inputs: readonly Inputs[],
        options: RunOptions<Result[]>,
    ): Promise<{ steps: number; results: Result[] }> {
        requireRunOptions(this.options.name, options);
        requireSteps(this.options.name, steps);
        this.requireReady();
        this.members.checkEach(inputs, (own, i) =>
            checkStacked(steps, own, (place, shape) => this.members.hasTaken(i, place, shape)),
        );
        const runs = runsOf(this.stackedPrograms(steps, inputs), steps, true);
        return this.exclusively(() => this.runChunks(runs, steps, inputs, options));
    }

    private stackedPrograms(steps: number, inputs: readonly Inputs[]): FittingProgram<Result>[] {
        try {
            return this.programsFor(inputs, steps === 0 ? emptyEntry : firstEntry);
        } catch (error) {
            nameEntries(error, at(inputs, 0));
            throw error;
        }
    }

    private async runChunks(
        runs: Run<Result>[],
        steps: number,
        inputs: readonly Inputs[],
        options: RunOptions<Result[]>,
    ): Promise<{ steps: number; results: Result[] }> {
        let done = 0;
        while (done < steps && !options.signal?.aborted) {
            const isChecked = runs.some((run) => run.isChecked);
            const count = isChecked ? 1 : Math.min(steps - done, options.chunk ?? this.chunkSteps());
            if (isChecked) runs = await this.checkStep(runs, inputs, done, done + 1 < steps);
            else await this.runChunk(runs, done, count);
            done += count;
            const { onProgress } = options;
            if (onProgress) await this.report(runs, done - count, count, (parts) => onProgress(done, parts));
        }
        const parts =
            done === steps ? runs : runs.map((run) => ({ ...run, outputs: entries(run.outputs, 0, done) }));
        return { steps: done, results: resultsOf(parts) };
    }

    /** Shows the results of some steps, which are written no more. */
    private async report(
        runs: readonly Run<Result>[],
        first: number,
        count: number,
        show: (results: Result[]) => unknown,
    ): Promise<void> {
        const parts = runs.map((run) => ({ ...run, outputs: entries(run.outputs, first, count) }));
        try {
            await show(resultsOf(parts));
        } finally {
            for (const { outputs } of parts) for (const part of outputs) part.dispose();
        }
    }

    /** Steps of a single step, with the time of each call. */
    profile(steps: number, inputs: Inputs): ProgramCall[] {
        if (!Number.isInteger(steps) || steps < 1)
            throw new RangeError(
                `[capture] profile takes a positive number of steps before the inputs, got ${describeValue(steps)}`,
            );
        const { program, given } = at(this.programsFor([inputs]), 0);
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

    /** One of many steps, checked; gives what the next one runs, if there is `more`. */
    private async checkStep(
        runs: readonly Run<Result>[],
        inputs: readonly Inputs[],
        step: number,
        more: boolean,
    ): Promise<Run<Result>[]> {
        const entry = (x: Tensor): Tensor => entryAt(x, step);
        const views = new Map(runs.flatMap(({ given }) => given.map((x) => [x, entry(x)] as const)));
        const viewsOf = (list: readonly Tensor[]): Tensor[] => list.map((x) => views.get(x) ?? x);
        const own = inputs.map((list) => viewsOf(list) as readonly unknown[] as Inputs);
        const fitting = runs.map((run) => ({ ...run, given: viewsOf(run.given) }));
        const results = await this.validateEach(fitting, own);
        this.replays++;
        for (const [i, { outputs }] of runs.entries())
            storeResults(tensorsOf(results[i]), outputs.map(entry));
        for (const view of views.values()) view.dispose();
        if (!more) return [...runs];
        const next = this.members.programsFor(inputs, firstEntry);
        return runs.map(({ outputs }, i) => ({ ...at(next, i), outputs }));
    }

    private async runChunk(runs: readonly Run<Result>[], first: number, count: number): Promise<void> {
        for (const [i, { program }] of runs.entries()) {
            const { change } = program;
            if (change === undefined) continue;
            const message = `[capture] what the step depends on was changed from outside after ${first} steps: ${change}`;
            this.members.named(i, () => {
                throw new Error(message);
            });
        }
        const begin = performance.now();
        const parts = runs.map((run) => ({
            ...run,
            given: entries(run.given, first, count),
            outputs: entries(run.outputs, first, count),
        }));
        await runTogetherAsync(prepareRuns(parts, count, true));
        this.stepMilliseconds = (performance.now() - begin) / count;
        this.replays += count;
        for (const { given, outputs } of parts) for (const part of [...given, ...outputs]) part.dispose();
    }

    private chunkSteps(): number {
        return Math.max(1, Math.floor(chunkMilliseconds / this.stepMilliseconds));
    }

    private async exclusively<T>(start: () => Promise<T>): Promise<T> {
        this.isRunning = true;
        try {
            return await start();
        } finally {
            this.isRunning = false;
        }
    }

    private programsFor(
        inputs: readonly Inputs[],
        sampleOf: (x: Tensor) => Tensor = itself,
    ): FittingProgram<Result>[] {
        this.members.checkEach(inputs, (own) => checkInputs(own));
        this.requireReady();
        return this.members.programsFor(inputs, sampleOf);
    }

    private requireReady(): void {
        if (activeTracer())
            throw new CaptureError(
                `[${this.options.name}] async(), run() and profile() start a program, which a step that is being captured cannot wait for; ` +
                    'call the inner step itself, and it becomes part of the outer one',
            );
        this.requireIdle('the next call');
    }

    private requireIdle(what: string): void {
        if (!this.isRunning) return;
        throw new Error(
            `[${this.options.name}] this step is still running on another thread; await it before ${what} ` +
                '(onProgress is called while it runs)',
        );
    }

    get statistics(): CaptureStatistics {
        return {
            captures: this.members.captures,
            replays: this.replays,
            programs: this.members.reports,
        };
    }
}

/** Copies results, which may be tensors of the user's, to their places. */
function storeResults(results: readonly Tensor[], places: readonly Tensor[]): void {
    places.forEach((place, i) => {
        run('copy', [at(results, i)], [place]);
        place.dispose();
    });
}
