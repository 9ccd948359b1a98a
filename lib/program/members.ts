import type { Tensor } from '../tensor/tensor.js';
import type { CapturedProgram } from './captured_program.js';
import type { ProgramReport } from './options.js';
import { ProgramCache, type FittingProgram } from './program_cache.js';
import type { RecordingOptions } from './record_step.js';
import { join, prepareTogether, type ProgramRun } from './replays.js';

/** One of the steps that run side by side, and its programs. */
interface Member<Inputs extends readonly Tensor[], Result> {
    readonly step: (...inputs: Inputs) => Result;
    readonly cache: ProgramCache<Inputs, Result>;
}

/** A program that fits, and where its results go. */
export interface Run<Result> extends FittingProgram<Result> {
    readonly outputs: readonly Tensor[];
}

/** The steps that run side by side, with their programs: one, or those of several models. */
export class Members<Inputs extends readonly Tensor[], Result> {
    private list: readonly Member<Inputs, Result>[];
    private joined: readonly CapturedProgram<Result>[] = [];

    constructor(
        steps: readonly ((...inputs: Inputs) => Result)[],
        validatedUses: number,
        recording: RecordingOptions,
    ) {
        this.list = steps.map((step) => ({
            step,
            cache: new ProgramCache(step, validatedUses, recording),
        }));
    }

    /** Goes on with those at these positions. */
    keep(positions: readonly number[]): void {
        this.list = this.list.filter((_, i) => positions.includes(i));
    }

    step(i: number): (...inputs: Inputs) => Result {
        return at(this.list, i).step;
    }

    /** The step of each, and what stands at its place in `own`. */
    map<Own, T>(own: readonly Own[], body: (step: (...inputs: Inputs) => Result, own: Own) => T): T[] {
        return this.list.map(({ step }, i) => body(step, at(own, i)));
    }

    /** The program of each that fits its inputs now; several are looked at together when one of them is new. */
    programsFor(inputs: readonly Inputs[], sampleOf: (x: Tensor) => Tensor): FittingProgram<Result>[] {
        const fitting = this.list.map(({ cache }, i) => cache.programFor(at(inputs, i), sampleOf));
        const programs = fitting.map(({ program }) => program);
        if (programs.length > 1 && programs.some((program, i) => program !== this.joined[i])) {
            join(programs);
            this.joined = programs;
        }
        return fitting;
    }

    get captures(): number {
        return this.list.reduce((sum, { cache }) => sum + cache.captures, 0);
    }

    get reports(): ProgramReport[] {
        return this.list.flatMap(({ cache }) => cache.reports);
    }
}

export function runsOf<Result>(
    fitting: readonly FittingProgram<Result>[],
    steps: number,
    stacked: boolean,
): Run<Result>[] {
    return fitting.map((fit) => ({ ...fit, outputs: fit.program.newOutputs(steps, stacked) }));
}

export function prepareRuns(runs: readonly Run<unknown>[], steps: number, stacked: boolean): ProgramRun[] {
    return prepareTogether(
        runs.map(({ program, given, outputs }) => () => ({
            program,
            prepared: program.prepare(steps, given, outputs, stacked),
        })),
    );
}

export function resultsOf<Result>(runs: readonly Run<Result>[]): Result[] {
    return runs.map(({ program, outputs }) => program.resultOf(outputs));
}

export function at<Item>(list: readonly Item[], i: number): Item {
    const item = list[i];
    if (item === undefined) throw new RangeError(`[capture] there is no entry ${i} for a model`);
    return item;
}
