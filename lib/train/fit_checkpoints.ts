import { resolve } from 'node:path';

import { CheckpointError } from '../io/checkpoint/checkpoint_error.js';
import { Module } from '../nn/module.js';
import { defaultGenerator, Generator, type GeneratorState } from '../ops/generator.js';
import type { MovingAverageState } from '../optim/moving_average.js';
import type { GradScaler, GradScalerState } from '../optim/grad_scaler.js';
import { describeValue } from '../support/describe_value.js';
import type { Callback } from './callback.js';
import {
    CheckpointStore,
    isCheckpointFolder,
    loadCheckpoint,
    type LoadedCheckpoint,
} from './checkpoint_store.js';
import type { TotalsState } from './epoch_totals.js';
import {
    compareLoaders,
    configurationHash,
    configurationOf,
    loaderStateOf,
    warnOfDifferences,
    type ConfiguredParts,
    type FitConfiguration,
    type LoaderState,
} from './fit_configuration.js';
import type { EpochSteps, FitRun } from './fit_run.js';
import type { EpochRecord, StopReason } from './history.js';
import type { Batches, TrainerOptions } from './trainer_options.js';

/** Where a fit stands in the middle of an epoch. */
export interface EpochProgress {
    readonly batch: number;
    readonly totals: TotalsState;
    readonly skippedBefore: number;
    readonly seconds: number;
}

/** The section `trainer` of a checkpoint. */
export interface FitState extends FitConfiguration {
    /** The epoch that runs, or comes next. */
    readonly epoch: number;
    readonly progress: EpochProgress | null;
    readonly steps: number;
    /** Of the fit so far; checkpoints of old lack it. */
    readonly seconds?: number;
    readonly stopReason: StopReason;
    readonly records: readonly EpochRecord[];
    readonly loader: LoaderState | null;
    readonly schedule: unknown;
    readonly scaler: GradScalerState | null;
    readonly generators: Readonly<Record<string, GeneratorState>>;
    readonly mode: 'captured' | 'eager';
}

/** In the middle of which epoch a checkpoint is made, and after how long. */
interface Within {
    readonly steps: EpochSteps;
    readonly seconds: number;
}

interface CallbackEntry {
    readonly name: string;
    readonly state: unknown;
}

interface Stateful {
    stateDict(): unknown;
    loadStateDict(state: unknown): unknown;
}

type Parts = ConfiguredParts & Pick<TrainerOptions, 'average'> & { scaler?: GradScaler };

/** Saves a fit as it goes, and puts one back where it was saved. */
export class FitCheckpoints {
    private pending: Promise<void> = Promise.resolve();
    private savedSteps = 0;
    private savedEpochs = 0;
    private savedTime = performance.now();
    private isClosed = false;
    private lastSaved = '';
    /** The newest one that is safe. */
    private newest: string | null = null;
    /** Why no save can ever succeed. */
    private failure: { readonly error: unknown } | null = null;
    /** What the fit goes on from. */
    private resumed: (Pick<FitState, 'mode' | 'steps'> & { readonly path: string }) | null = null;

    constructor(
        readonly store: CheckpointStore,
        private readonly parts: Parts,
        private readonly batches: Batches,
        private readonly callbacks: readonly Callback[],
    ) {
        if (!(store instanceof CheckpointStore))
            throw new TypeError(
                `[fit] checkpoints must be a train.CheckpointStore, got ${describeValue(store)}`,
            );
        requireState('the optimizer', parts.optimizer);
        if (parts.schedule) requireState('the schedule', parts.schedule);
    }

    /** Takes the folder; gives the checkpoint to go on from. */
    async begin(resume: string | undefined): Promise<LoadedCheckpoint | undefined> {
        await this.store.open();
        if (resume === undefined) return undefined;
        if (resume === 'auto') return this.store.load();
        if (isCheckpointFolder(resume)) return loadCheckpoint(resume);
        // Its own folder by name: what cannot be read just now must be known to the store that cleans up there.
        const isOwn = resolve(resume) === resolve(this.store.folder);
        const warn = { onWarning: (text: string) => this.store.warn(text) };
        const loaded = await (isOwn ? this.store : new CheckpointStore(resume, warn)).load();
        if (!loaded) throw new CheckpointError('missing', resume, 'holds no checkpoint');
        return loaded;
    }

    /** Puts model, optimizer and all else back. */
    restore({ path, state }: LoadedCheckpoint): FitState {
        const { model, optimizer, schedule, scaler, average } = this.parts;
        const fit = state.trainer as FitState | undefined;
        if (!fit || !state.model)
            throw new CheckpointError(
                'mismatch',
                path,
                'is not of a fit: it has no section model or trainer',
            );
        const warn = (text: string): void => this.store.warn(text);
        compareLoaders(path, fit.loader, loaderStateOf(this.batches), fit.progress !== null, warn);
        try {
            model.loadStateDict(state.model as ReturnType<typeof model.stateDict>);
            asStateful(optimizer).loadStateDict(state.optimizer);
            if (schedule && fit.schedule) asStateful(schedule).loadStateDict(fit.schedule);
            if (scaler && fit.scaler) scaler.loadStateDict(fit.scaler);
            if (average && state.average) average.loadStateDict(state.average as MovingAverageState);
        } catch (cause) {
            const reason = cause instanceof Error ? cause.message : String(cause);
            throw new CheckpointError('mismatch', path, `does not fit this trainer: ${reason}`, { cause });
        }
        for (const [name, generator] of this.generators())
            if (fit.generators[name]) generator.state = fit.generators[name];
        this.restoreCallbacks(state.callbacks as readonly CallbackEntry[]);
        warnOfDifferences(path, fit, configurationOf(this.parts), warn);
        this.warnOfAverage(path, state.average !== undefined);
        this.resumed = { path, mode: fit.mode, steps: fit.steps };
        this.newest = path;
        this.savedSteps = fit.steps;
        this.savedEpochs = fit.records.length;
        this.savedTime = performance.now();
        this.lastSaved = placeOf(
            fit.steps,
            fit.progress ? fit.epoch : fit.records.length,
            fit.progress !== null,
        );
        return fit;
    }

    private warnOfAverage(path: string, hasAverage: boolean): void {
        const { average } = this.parts;
        if (hasAverage === (average !== undefined)) return;
        const was = hasAverage
            ? 'holds an average of the weights, which this run has no use for'
            : 'holds no average of the weights, so that it begins with the next step';
        this.store.warn(`${path} ${was}: the end of the run will differ from that of an uninterrupted one`);
    }

    private restoreCallbacks(saved: readonly CallbackEntry[] = []): void {
        const states = new Map(saved.map(({ name, state }) => [name, state]));
        for (const [name, callback] of this.namedCallbacks())
            if (states.has(name)) callback.loadStateDict?.(states.get(name));
    }

    private namedCallbacks(): [string, Callback][] {
        const counts = new Map<string, number>();
        return this.callbacks.map((callback) => {
            const { name } = callback.constructor;
            const count = (counts.get(name) ?? 0) + 1;
            counts.set(name, count);
            return [count === 1 ? name : `${name}.${count}`, callback];
        });
    }

    private generators(): Map<string, Generator> {
        const { model } = this.parts;
        const found = new Map([['default', defaultGenerator]]);
        for (const [path, module] of model instanceof Module ? (model as Module).namedModules() : []) {
            // Dropout has one, and so have layers that drop by the way.
            const { generator } = module as { generator?: unknown };
            if (generator instanceof Generator) found.set(`module ${path}`, generator);
        }
        return found;
    }

    /** Steps until the next one after which is saved. */
    stepsLeft(run: FitRun): number {
        return this.store.every.steps - (run.steps - this.savedSteps);
    }

    /** After steps within an epoch. */
    async afterSteps(run: FitRun, steps: EpochSteps, seconds: number): Promise<void> {
        this.rethrow();
        const isEnd = steps.count >= (run.stepsPerEpoch ?? Infinity);
        if (isEnd || run.hasEnded || !(this.stepsLeft(run) <= 0 || this.isTime)) return;
        await this.save(run, { steps, seconds });
    }

    /** Where the fit ends in the middle of an epoch, before that is closed. */
    async afterLastSteps(run: FitRun, steps: EpochSteps, seconds: number): Promise<void> {
        if (!run.hasEnded || run.reason === 'diverged') return;
        if (run.reason !== 'interrupted' && steps.count >= (run.stepsPerEpoch ?? Infinity)) return;
        await this.save(run, { steps, seconds });
        this.isClosed = true;
    }

    /** Saves nothing more. */
    leave(): void {
        this.isClosed = true;
    }

    async afterEpoch(run: FitRun): Promise<void> {
        // From there a resumed fit could only end again.
        if (run.reason === 'diverged') return;
        const { store } = this;
        const isDue = run.records.length - this.savedEpochs >= store.every.epochs;
        const isBest = store.isAmongBest(run.records);
        if (!isDue && !isBest && !this.isTime && this.stepsLeft(run) > 0) return;
        await this.save(run);
    }

    private get isTime(): boolean {
        return performance.now() - this.savedTime >= this.store.every.minutes * 60_000;
    }

    /** Captured programs and single ops add up in other orders. Which of them a fit has is known once it has made steps. */
    private warnOfMode(run: FitRun): void {
        const { mode } = run.step.execution;
        if (this.resumed === null || run.steps === this.resumed.steps || mode === this.resumed.mode) return;
        const { path, mode: before } = this.resumed;
        this.store.warn(
            `${path} was written by ${before} steps, this run has ${mode} ones: its bits may differ from those of an uninterrupted run`,
        );
    }

    /** Saves the end of the fit where that is not yet done, and waits for what is under way. */
    async finish(run: FitRun): Promise<void> {
        this.warnOfMode(run);
        if (run.records.length > 0 && run.reason !== 'diverged' && run.reason !== 'failed')
            await this.save(run);
        await this.pending;
        this.rethrow();
    }

    async close(): Promise<void> {
        await this.pending;
        this.store.close();
    }

    /** Waits for the save before, then copies the state; the rest goes on beside the training. */
    private async save(run: FitRun, within?: Within): Promise<void> {
        const key = placeOf(run.steps, within?.steps.epoch ?? run.records.length, within !== undefined);
        if (this.isClosed || key === this.lastSaved) return;
        await this.pending;
        this.rethrow();
        this.lastSaved = key;
        this.savedSteps = run.steps;
        this.savedEpochs = run.records.length;
        this.savedTime = performance.now();
        const last = within ? undefined : run.records.at(-1);
        const metrics = Object.fromEntries(
            Object.entries(last ?? {}).map(([name, x]) => [name, Number.isFinite(x) ? (x as number) : null]),
        );
        const configHash = configurationHash(configurationOf(this.parts), loaderStateOf(this.batches));
        const details = { metrics, configHash };
        this.pending = this.store.save(run.steps, this.stateOf(run, within), details).then(
            (path) => void (this.newest = path),
            (error: unknown) => this.heed(error),
        );
    }

    /** What the disk refuses leaves the fit as it is; a state that cannot be saved would never be, and ends it. */
    private heed(error: unknown): void {
        const isOfSystem = error instanceof CheckpointError || (error instanceof Error && 'syscall' in error);
        if (!isOfSystem) {
            this.failure ??= { error };
            return;
        }
        const stands = this.newest === null ? 'there is none yet to go back to' : `${this.newest} stands`;
        this.store.warn(`${error.message}; the fit goes on, ${stands}`);
    }

    private rethrow(): void {
        if (this.failure) throw this.failure.error;
    }

    private stateOf(run: FitRun, within: Within | undefined): Record<string, unknown> {
        const { model, optimizer, schedule, scaler, average } = this.parts;
        const own = loaderStateOf(this.batches);
        const fit: FitState = {
            epoch: within?.steps.epoch ?? run.records.length + 1,
            progress: within?.steps.progress(within.seconds) ?? null,
            steps: run.steps,
            seconds: run.seconds,
            stopReason: run.reason === 'interrupted' ? 'completed' : run.reason,
            records: run.records,
            loader: own && { ...own, epoch: within?.steps.loaderEpoch ?? own.epoch, next: own.epoch },
            schedule: schedule ? asStateful(schedule).stateDict() : null,
            scaler: scaler?.stateDict() ?? null,
            generators: Object.fromEntries([...this.generators()].map(([name, { state }]) => [name, state])),
            mode: run.step.execution.mode,
            ...configurationOf(this.parts),
        };
        const callbacks = this.namedCallbacks().flatMap(([name, callback]) =>
            callback.stateDict ? [{ name, state: callback.stateDict() }] : [],
        );
        return {
            model: model.stateDict(),
            optimizer: asStateful(optimizer).stateDict(),
            ...(average ? { average: average.stateDict() } : {}),
            callbacks,
            trainer: fit,
        };
    }
}

function placeOf(steps: number, epoch: number, isWithin: boolean): string {
    return `${steps} ${epoch} ${isWithin}`;
}

function asStateful(part: object): Stateful {
    return part as Stateful;
}

function requireState(what: string, part: object): void {
    const { stateDict, loadStateDict } = part as Partial<Stateful>;
    if (typeof stateDict === 'function' && typeof loadStateDict === 'function') return;
    throw new TypeError(
        `[fit] checkpoints need ${what} to have stateDict() and loadStateDict(), as those of optim; ` +
            `${part.constructor.name} has none`,
    );
}
