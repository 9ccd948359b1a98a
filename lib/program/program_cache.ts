import { CaptureError } from '../native/capture_error.js';
import { sameShape, type Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { CapturedProgram } from './captured_program.js';
import type { ProgramReport } from './options.js';
import { recordStep, type RecordingOptions } from './record_step.js';
import { changeOfSignature, signatureKey, signatureOf, type Signature } from './step_inputs.js';

/** Programs of one step that are kept; the one that was not used for the longest time goes first. */
const maxPrograms = 16;
/** So many programs in a row that were used only once mean that something differs in every call. */
const wastedLimit = 8;

interface CacheEntry<Result> {
    readonly key: string;
    readonly signature: Signature;
    /** Why it was made. */
    readonly reason: string;
    readonly program: CapturedProgram<Result>;
    uses: number;
}

/** A program, the tensors that it takes (each of the inputs once), and whether this use of it is to be checked. */
export interface FittingProgram<Result> {
    readonly program: CapturedProgram<Result>;
    readonly given: Tensor[];
    readonly isChecked: boolean;
}

/** The programs of one step, one for each kind of inputs and surroundings. */
export class ProgramCache<Inputs extends readonly Tensor[], Result> {
    /** Most recently used first. */
    private readonly entries: CacheEntry<Result>[] = [];
    private hasWarned = false;
    /** Programs made so far. */
    captures = 0;

    constructor(
        private readonly step: (...inputs: Inputs) => Result,
        private readonly validatedUses: number,
        private readonly recording: RecordingOptions,
        /** Begins its warnings. */
        private readonly label: string,
    ) {}

    /** The program that fits these inputs now, or a new one. `sampleOf` gives what the step sees of an input. */
    programFor(inputs: readonly Tensor[], sampleOf: (x: Tensor) => Tensor): FittingProgram<Result> {
        const given = [...new Set(inputs)];
        const places = inputs.map((input) => given.indexOf(input));
        const samples = given.map(sampleOf);
        const key = signatureKey(samples, places);
        const at = this.entries.findIndex(
            (entry) => entry.key === key && misfit(entry, samples) === undefined,
        );
        const found = at >= 0 ? this.entries.splice(at, 1)[0] : undefined;
        const entry = found ?? this.newEntry(key, samples, places);
        entry.uses++;
        if (entry.uses === this.validatedUses + 1) entry.program.dropExact();
        this.entries.unshift(entry);
        return { program: entry.program, given, isChecked: entry.uses <= this.validatedUses };
    }

    private newEntry(key: string, samples: readonly Tensor[], places: readonly number[]): CacheEntry<Result> {
        const signature = signatureOf(samples, places);
        const reason = this.reasonFor(key, signature, samples);
        const program = this.record(samples, places);
        this.warnIfWasteful(reason);
        return { key, signature, reason, program, uses: 0 };
    }

    /** What the last program of this kind of inputs, or the last one of all, lacks. */
    private reasonFor(key: string, signature: Signature, samples: readonly Tensor[]): string {
        const [last] = this.entries;
        if (!last) return 'it is the first';
        const alike = this.entries.find((entry) => entry.key === key);
        return (alike && misfit(alike, samples)) ?? changeOfSignature(last.signature, signature);
    }

    private record(samples: readonly Tensor[], places: readonly number[]): CapturedProgram<Result> {
        const recorded = recordStep(
            (...given) => this.called(places.map((place) => given[place])),
            samples,
            this.recording,
            this.validatedUses > 0,
        );
        this.captures++;
        while (this.entries.length >= maxPrograms) this.entries.pop();
        return new CapturedProgram(recorded);
    }

    /** The step; where it failed and has fewer inputs than it names, that is probably why. */
    private called(inputs: readonly unknown[]): Result {
        try {
            return this.step(...(inputs as Inputs));
        } catch (error) {
            if (inputs.length >= this.step.length || error instanceof CaptureError) throw error;
            throw new TypeError(
                `[capture] the step failed with ${inputs.length} of its ${this.step.length} inputs ` +
                    `(${error instanceof Error ? error.message : String(error)}); pass all of them: step(x, y), run(steps, [x, y])`,
                { cause: error },
            );
        }
    }

    private warnIfWasteful(reason: string): void {
        const wasted = this.entries.filter(({ uses }) => uses === 1).length;
        if (this.hasWarned || wasted < wastedLimit) return;
        this.hasWarned = true;
        process.emitWarning(
            `${this.label} ${wasted} programs of one step were used only once: its inputs' shapes, or what it reads, differ ` +
                `in nearly every call, the last time since ${reason}; drop short batches, or call the step itself`,
            { code: 'NATIVEGRAD_RECAPTURE' },
        );
    }

    /** Whether a kept program takes input `place` in this shape. */
    hasTaken(place: number, shape: Shape): boolean {
        return this.entries.some(({ signature }) => {
            const input = signature.inputs[place];
            return input !== undefined && sameShape(input.shape, shape);
        });
    }

    get reports(): ProgramReport[] {
        return this.entries.map(({ program, reason }) => ({
            ...program.size,
            reason,
            execution: program.execution,
        }));
    }
}

/** Why the program of this entry cannot be used now; undefined where it can. */
function misfit<Result>({ program }: CacheEntry<Result>, samples: readonly Tensor[]): string | undefined {
    return program.change ?? program.misfit(samples);
}
