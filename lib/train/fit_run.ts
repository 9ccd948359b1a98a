import type { GradScaler } from '../optim/grad_scaler.js';
import { EpochTotals } from './epoch_totals.js';
import type { Callback, FitContext, StepRecord, TrainableModel } from './callback.js';
import type { EpochProgress, FitState } from './fit_checkpoints.js';
import type { LoaderState } from './fit_configuration.js';
import type { EpochRecord, History, StopReason } from './history.js';
import type { StepFigures } from './row_steps.js';
import type { TrainStep } from './train_step.js';
import type { FitOptions } from './trainer_options.js';

const knownReasons: readonly string[] = ['early stopping', 'diverged'];

/** State of one fit. */
export class FitRun implements FitContext {
    readonly records: EpochRecord[] = [];
    reason: StopReason = 'completed';
    steps = 0;
    resumedFrom: string | undefined;
    private readonly begin = performance.now();
    private secondsBefore = 0;

    constructor(
        readonly model: TrainableModel,
        readonly stepsPerEpoch: number | undefined,
        readonly options: FitOptions,
        readonly step: TrainStep,
    ) {}

    /** Goes on where a checkpoint was made. */
    restore({ records, steps, stopReason, seconds, progress }: FitState, path: string): void {
        this.resumedFrom = path;
        const ofEpochs = records.reduce((sum, record) => sum + record.seconds, progress?.seconds ?? 0);
        this.secondsBefore = seconds ?? ofEpochs;
        this.records.push(...records);
        this.steps = steps;
        this.reason = stopReason;
    }

    get resumed(): boolean {
        return this.resumedFrom !== undefined;
    }

    /** Of all parts of the fit. */
    get seconds(): number {
        return this.secondsBefore + (performance.now() - this.begin) / 1000;
    }

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
        const { records, reason: stopReason, steps, seconds } = this;
        return { epochs: [...records], stopReason, steps, seconds, execution: this.step.execution };
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

/** So many steps with overflow in a row are no search for a scale any more: it has become 2^-50 of what it was. */
const endlessOverflow = 50;

/** The steps of one epoch so far. */
export class EpochSteps {
    readonly totals: EpochTotals;
    count = 0;
    /** The loader's number of this epoch, once it has begun; anyone may loop over the loader meanwhile. */
    loaderEpoch: number | null = null;
    private skippedBefore: number;
    /** Where the loader stood when the checkpoint was made. */
    private resumed: LoaderState | null = null;

    constructor(
        readonly epoch: number,
        private readonly run: FitRun,
        private readonly scaler: GradScaler | undefined,
    ) {
        this.totals = new EpochTotals(scaler !== undefined);
        this.skippedBefore = scaler?.skippedSteps ?? 0;
    }

    /** Where the epoch stands, for a checkpoint. */
    progress(seconds: number): EpochProgress {
        return { batch: this.count, totals: this.totals.state, skippedBefore: this.skippedBefore, seconds };
    }

    /** Goes on where a checkpoint was made. */
    restore({ batch, totals, skippedBefore }: EpochProgress, loader: LoaderState | null): void {
        this.count = batch;
        this.totals.state = totals;
        this.skippedBefore = skippedBefore;
        this.resumed = loader;
    }

    /** Begins the loader's epoch by `begin`: the next one, or that in which the checkpoint was made. */
    beginLoader<T>(loader: { epoch: number }, begin: () => T): T {
        const { resumed } = this;
        if (resumed) loader.epoch = resumed.epoch;
        this.loaderEpoch = loader.epoch;
        const begun = begin();
        if (resumed?.next !== undefined) loader.epoch = resumed.next;
        return begun;
    }

    /** Figures of loss scaling, for the record of the epoch. */
    get scaling(): Pick<EpochRecord, 'lossScale' | 'skippedSteps'> {
        const { scaler } = this;
        if (!scaler) return {};
        return { lossScale: scaler.getScale(), skippedSteps: scaler.skippedSteps - this.skippedBefore };
    }

    /** Ends the fit where no scale of the loss is small enough. */
    watchScale(): void {
        if (this.scaler && this.scaler.counts().inRow >= endlessOverflow) this.run.stop('diverged');
    }

    /** The record of a step that the totals have already. A loss that is no number ends the fit, unless a scaler leaves it out. */
    record(loss: number, learningRate: number): StepRecord {
        const { totals, run, epoch } = this;
        this.count++;
        run.steps++;
        if (this.endsAt(loss)) run.stop('diverged');
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
            if (this.endsAt(loss)) break;
        }
        return records;
    }

    private endsAt(loss: number): boolean {
        return this.scaler === undefined && !Number.isFinite(loss);
    }
}
