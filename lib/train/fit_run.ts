import { EpochTotals } from './epoch_totals.js';
import type { Callback, FitContext, StepRecord, TrainableModel } from './callback.js';
import type { EpochRecord, History, StopReason } from './history.js';
import type { StepFigures } from './row_steps.js';
import type { TrainStep } from './train_step.js';
import type { FitOptions } from './trainer.js';

const knownReasons: readonly string[] = ['early stopping', 'diverged'];

/** State of one fit. */
export class FitRun implements FitContext {
    readonly records: EpochRecord[] = [];
    reason: StopReason = 'completed';
    steps = 0;

    constructor(
        readonly model: TrainableModel,
        readonly stepsPerEpoch: number | undefined,
        readonly options: FitOptions,
        readonly step: TrainStep,
    ) {}

    get epochs(): number {
        return this.options.epochs;
    }

    get stopped(): boolean {
        if (this.options.signal?.aborted && this.reason === 'completed') this.reason = 'interrupted';
        return this.reason !== 'completed';
    }

    /** Steps that may still run. */
    get stepsLeft(): number {
        return (this.options.maxSteps ?? Infinity) - this.steps;
    }

    /** No step is to follow. */
    get hasEnded(): boolean {
        return this.stopped || this.stepsLeft <= 0;
    }

    /** True when nobody asks for each step as soon as it is done. */
    get mayRunStepsAtOnce(): boolean {
        const { callbacks = [] } = this.options;
        return callbacks.every((callback) => !callback.onStepEnd || callback.onStepsEnd !== undefined);
    }

    stop(reason: string): void {
        if (!this.stopped)
            this.reason = knownReasons.includes(reason) ? (reason as StopReason) : 'interrupted';
    }

    get history(): History {
        const { execution } = this.step;
        return { epochs: [...this.records], stopReason: this.reason, steps: this.steps, execution };
    }

    async call(invoke: (callback: Callback) => unknown): Promise<void> {
        for (const callback of this.options.callbacks ?? []) await invoke(callback);
    }

    /** Tells the callbacks of steps that are done. */
    async reportSteps(records: readonly StepRecord[]): Promise<void> {
        await this.call(async (callback) => {
            if (callback.onStepsEnd) return callback.onStepsEnd(records, this);
            for (const record of records) await callback.onStepEnd?.(record, this);
        });
    }
}

/** The steps of one epoch so far. */
export class EpochSteps {
    readonly totals = new EpochTotals();
    count = 0;

    constructor(
        private readonly epoch: number,
        private readonly run: FitRun,
    ) {}

    /** The record of a step that the totals have already. A loss that is no number ends the fit. */
    record(loss: number, learningRate: number): StepRecord {
        const { totals, run, epoch } = this;
        this.count++;
        run.steps++;
        if (!Number.isFinite(loss)) run.stop('diverged');
        return {
            epoch,
            step: this.count,
            loss,
            meanLoss: totals.loss,
            meanAccuracy: totals.accuracy,
            learningRate,
        };
    }

    /** The records of steps of `samples` each, up to the one that ends the fit. */
    records({ losses, correct, rates }: StepFigures, samples: number): StepRecord[] {
        const records: StepRecord[] = [];
        for (const [i, loss] of losses.entries()) {
            this.totals.addCounts(loss, samples, correct?.[i]);
            records.push(this.record(loss, rates[i] ?? NaN));
            if (!Number.isFinite(loss)) break;
        }
        return records;
    }
}
