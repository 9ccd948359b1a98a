import { noGrad } from '../autograd/grad_mode.js';
import { Scope } from '../autograd/scope.js';
import type { Batch } from '../data/index.js';
import { eachStep } from '../native/tracer.js';
import { captureInParts, type CapturedStep } from '../program/capture.js';
import type { Tensor } from '../tensor/tensor.js';
import { countCorrect } from './epoch_totals.js';
import type { StepOutcome } from './train_step.js';
import { programExecution } from './program_execution.js';

/** Figures of steps that ran one after the other. */
export interface StepFigures {
    readonly losses: readonly number[];
    /** Samples that were classified right, step by step; undefined where the targets are no classes. */
    readonly correct: readonly number[] | undefined;
    /** The learning rate after each step. */
    readonly rates: readonly number[];
}

/** What the steps are made of. */
export interface RowParts {
    /** The samples with the numbers in `index`, made by ops. */
    readonly gather: (index: Tensor) => Batch;
    readonly whole: (inputs: Tensor, targets: Tensor) => StepOutcome;
    /** The same with pauses for the event loop. Its tensors join `scope`. */
    readonly inParts: (batch: Batch, scope: Scope) => Promise<StepOutcome>;
    /** Runs after each step. */
    readonly advance: () => void;
    readonly learningRate: () => number;
    /** Leave gradients in `.grad`. */
    readonly gradients: boolean;
    /** Replays of each program that are checked against the step itself, one at a time. */
    readonly checks: number;
}

/** What a step leaves. */
export interface Counted {
    readonly loss: Tensor;
    readonly correct?: Tensor;
}

/** One native call runs about this long, so that an end of the fit is heard in time. */
const stretchMilliseconds = 20;

/**
 * Steps of an epoch from the numbers of their samples: gather, step, count of right answers and schedule are one captured
 * program, and a stretch of steps is one native call.
 */
export class RowSteps {
    private readonly captured: CapturedStep<[Tensor], Counted>;
    /** Steps done so far, by the number of samples. */
    private readonly done = new Map<number, number>();
    private rates: number[] = [];
    private milliseconds = stretchMilliseconds;

    constructor(private readonly parts: RowParts) {
        this.captured = captureInParts((index: Tensor) => this.whole(index), {
            validate: parts.checks,
            gradients: parts.gradients,
            inParts: (index) => this.inParts(index),
        });
    }

    /** How the programs run. */
    get execution(): string {
        return programExecution(this.captured.statistics);
    }

    /** Runs the first of the steps [steps, samples], at least one; says what they gave. */
    async run(rows: Tensor): Promise<StepFigures> {
        const [steps = 0, size = 0] = rows.shape;
        const done = this.done.get(size) ?? 0;
        const fitting = Math.max(1, Math.floor(stretchMilliseconds / this.milliseconds));
        const count = done < this.parts.checks ? 1 : Math.min(steps, fitting);
        this.rates = [];
        const begin = performance.now();
        const figures = this.read(await this.replay(rows, count));
        this.milliseconds = (performance.now() - begin) / count;
        this.done.set(size, done + count);
        return figures;
    }

    private async replay(rows: Tensor, count: number): Promise<Counted> {
        const part = count > 1 ? rows.slice(0, 0, count) : rows.select(0, 0);
        try {
            return count > 1
                ? (await this.captured.run(count, [part])).result
                : await this.captured.async(part);
        } finally {
            part.dispose();
        }
    }

    /** The numbers in the results, which are freed. */
    read({ loss, correct }: Counted): StepFigures {
        const numbers = (x: Tensor): number[] => {
            const values = Array.from(x.dataSync(), Number);
            x.dispose();
            return values;
        };
        return { losses: numbers(loss), correct: correct && numbers(correct), rates: this.rates };
    }

    /** One step op by op; its figures begin anew. */
    async inParts(index: Tensor): Promise<Counted> {
        const scope = new Scope();
        this.rates = [];
        try {
            const batch = scope.run(() => this.parts.gather(index));
            const { loss, outputs } = await this.parts.inParts(batch, scope);
            const counted = scope.run(() => this.finish(loss, outputs, batch[1]));
            scope.release(counted);
            return counted;
        } finally {
            scope.dispose();
        }
    }

    private whole(index: Tensor): Counted {
        const [inputs, targets] = this.parts.gather(index);
        const { loss, outputs } = this.parts.whole(inputs, targets);
        return this.finish(loss, outputs, targets);
    }

    private finish(loss: Tensor, outputs: Tensor, targets: Tensor): Counted {
        const correct = noGrad(() => countCorrect(outputs, targets));
        this.parts.advance();
        eachStep(
            () => this.rates.push(this.parts.learningRate()),
            // A check of the program takes its steps back.
            { saveState: () => this.saveRates() },
        );
        return correct ? { loss, correct } : { loss };
    }

    private saveRates(): () => void {
        const { length } = this.rates;
        return () => void (this.rates.length = length);
    }
}
