import { amendMessage } from '../support/amend_message.js';
import type { Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { CapturedProgram } from './captured_program.js';
import type { ProgramReport } from './options.js';
import { ProgramCache, type FittingProgram } from './program_cache.js';
import type { RecordingOptions } from './record_step.js';
import { join, prepareTogether, type ProgramRun } from './replays.js';

/** The function that a message is of. */
export type CaptureName = 'capture' | 'captureModels';

/** One of the steps that run side by side, and its programs. */
interface Member<Inputs extends readonly Tensor[], Result> {
    /** The number of the model; undefined for a step alone. */
    readonly model: number | undefined;
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
        private readonly name: CaptureName,
        steps: readonly ((...inputs: Inputs) => Result)[],
        validatedUses: number,
        recording: RecordingOptions,
    ) {
        this.list = steps.map((step, i) => {
            const model = name === 'captureModels' ? i : undefined;
            return { model, step, cache: new ProgramCache(step, validatedUses, recording, labelOf(model)) };
        });
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
        return this.list.map(({ step }, i) => this.named(i, () => body(step, at(own, i))));
    }

    /** The program of each that fits its inputs now; several are looked at together when one of them is new. */
    programsFor(inputs: readonly Inputs[], sampleOf: (x: Tensor) => Tensor): FittingProgram<Result>[] {
        const fitting = this.list.map(({ cache }, i) =>
            this.named(i, () => cache.programFor(at(inputs, i), sampleOf)),
        );
        const programs = fitting.map(({ program }) => program);
        if (programs.length > 1 && programs.some((program, i) => program !== this.joined[i])) {
            join(
                programs,
                this.list.map(({ model = 0 }) => model),
            );
            this.joined = programs;
        }
        return fitting;
    }

    /** Refuses what cannot be inputs of a step; a list that all models share is looked at once. */
    checkEach(inputs: readonly Inputs[], check: (own: Inputs, i: number) => void): void {
        const [first] = inputs;
        if (inputs.length > 1 && first && inputs.every((own) => own === first))
            this.namedOfAll(() => check(first, 0));
        else inputs.forEach((own, i) => this.named(i, () => check(own, i)));
    }

    /** Whether a step of this one has taken input `place` in this shape. */
    hasTaken(i: number, place: number, shape: Shape): boolean {
        return at(this.list, i).cache.hasTaken(place, shape);
    }

    /** What `body` gives; an error of it says which model it is of. */
    named<T>(i: number, body: () => T): T {
        try {
            return body();
        } catch (error) {
            this.nameModel(i, error);
            throw error;
        }
    }

    /** The same for an error that is of no model in particular. */
    private namedOfAll(body: () => void): void {
        try {
            body();
        } catch (error) {
            if (error instanceof Error)
                amendMessage(error, error.message.replace('[capture]', `[${this.name}]`));
            throw error;
        }
    }

    async namedAsync<T>(i: number, body: () => Promise<T>): Promise<T> {
        try {
            return await body();
        } catch (error) {
            this.nameModel(i, error);
            throw error;
        }
    }

    /** Puts the model in front of a message of ours. */
    private nameModel(i: number, error: unknown): void {
        const { model } = at(this.list, i);
        if (model === undefined || !(error instanceof Error)) return;
        const { message } = error;
        if (message.startsWith('[capture] '))
            amendMessage(error, message.replace('[capture]', labelOf(model)));
        else if (isOfLibrary(message)) amendMessage(error, `${labelOf(model)} ${message}`);
    }

    get captures(): number {
        return this.list.reduce((sum, { cache }) => sum + cache.captures, 0);
    }

    get reports(): ProgramReport[] {
        return this.list.flatMap(({ model, cache }) =>
            cache.reports.map((report) => (model === undefined ? report : { model, ...report })),
        );
    }
}

function labelOf(model: number | undefined): string {
    return model === undefined ? '[capture]' : `[captureModels] model ${model}:`;
}

/** Messages of ops and layers: `[matmul] ...`, `Linear '0': [linear] ...`; those of captures name themselves. */
export function isOfLibrary(message: string): boolean {
    return /^(\[(?!capture)|[A-Z]\w*( '[^']*')?: )/.test(message);
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
