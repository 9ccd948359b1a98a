import { keep } from '../tensor/lifetime.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Callback, FitContext } from './callback.js';
import type { EpochRecord, MonitoredName } from './history.js';

export interface EarlyStoppingOptions {
    /** Default: validationLoss. */
    monitor?: MonitoredName;
    /** Epochs without improvement before the fit ends. Default 5. */
    patience?: number;
    /** Least change that counts as an improvement. Default 0. */
    minDelta?: number;
    /** Default: max for accuracies, min for losses. */
    mode?: 'min' | 'max';
    /** Bring back the weights of the best epoch at the end, however the fit ends. Default true. */
    restoreBest?: boolean;
}

/** Whether a figure is better when it is larger. */
export function modeOf(monitor: MonitoredName): 'min' | 'max' {
    return monitor === 'accuracy' || monitor === 'validationAccuracy' ? 'max' : 'min';
}

/** The watched figure of an epoch; an error where the fit has no such figure. */
export function monitored(owner: string, monitor: MonitoredName, record: EpochRecord): number {
    const value = record[monitor];
    if (value === undefined) {
        const hint = monitor.startsWith('validation')
            ? 'give fit() validation data'
            : 'the targets are not class labels';
        throw new Error(`[${owner}] monitors ${monitor}, which epoch ${record.epoch} does not have: ${hint}`);
    }
    return value;
}

/**
 * Ends a fit that no longer improves, and brings back the best weights at every end: after patience ran out, after the last
 * epoch, on an interrupt and on an error.
 */
export class EarlyStopping implements Callback {
    private readonly options: Required<EarlyStoppingOptions>;
    private best = NaN;
    private waited = 0;
    private bestState: Map<string, Tensor> | null = null;
    /** Epoch of the best figure so far; 0 before the first one. */
    bestEpoch = 0;

    constructor(options: EarlyStoppingOptions = {}) {
        const monitor = options.monitor ?? 'validationLoss';
        this.options = {
            patience: 5,
            minDelta: 0,
            restoreBest: true,
            mode: modeOf(monitor),
            ...options,
            monitor,
        };
        const { patience, minDelta } = this.options;
        if (!Number.isInteger(patience) || patience < 0) {
            throw new RangeError(`[EarlyStopping] patience must be a non-negative integer, got ${patience}`);
        }
        if (!(minDelta >= 0))
            throw new RangeError(`[EarlyStopping] minDelta must be at least 0, got ${minDelta}`);
    }

    onTrainBegin({ resumed }: Pick<FitContext, 'resumed'>): void {
        if (resumed) return;
        this.best = NaN;
        this.waited = 0;
        this.bestEpoch = 0;
        this.forget();
    }

    onEpochEnd(record: EpochRecord, context: FitContext): void {
        const { monitor, mode, minDelta, patience, restoreBest } = this.options;
        const value = monitored('EarlyStopping', monitor, record);
        const gain = mode === 'min' ? this.best - value : value - this.best;
        if (Number.isNaN(this.best) ? !Number.isNaN(value) : gain > minDelta) {
            this.best = value;
            this.bestEpoch = record.epoch;
            this.waited = 0;
            if (restoreBest) this.remember(context);
        } else if (++this.waited >= patience) {
            context.stop('early stopping');
        }
    }

    onTrainEnd(_history: unknown, context: FitContext): void {
        if (this.bestState) context.model.loadStateDict(this.bestState);
        this.forget();
    }

    stateDict(): unknown {
        const { best, waited, bestEpoch, bestState } = this;
        return { best, waited, bestEpoch, bestState };
    }

    loadStateDict(state: unknown): void {
        this.forget();
        const { best, waited, bestEpoch, bestState } = state as Record<
            'best' | 'waited' | 'bestEpoch',
            number
        > & {
            readonly bestState: Map<string, Tensor> | null;
        };
        Object.assign(this, { best, waited, bestEpoch });
        this.bestState = bestState && new Map([...bestState].map(([name, x]) => [name, keep(x)]));
    }

    private remember(context: FitContext): void {
        this.forget();
        const state = context.model.stateDict();
        this.bestState = new Map([...state].map(([name, x]) => [name, keep(x.detach().clone())]));
    }

    private forget(): void {
        for (const x of this.bestState?.values() ?? []) x.dispose();
        this.bestState = null;
    }
}
