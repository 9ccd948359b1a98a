import { requireOptionNames } from '../support/option_names.js';
import { Schedule, type ScheduledOptimizer, type ScheduleState } from './schedule.js';

export interface PlateauOptions {
    /** Whether the metric should fall or rise. Default: min. */
    mode?: 'min' | 'max';
    /** Factor on the rate. Default: 0.1. */
    factor?: number;
    /** Steps without improvement that are borne. Default: 10. */
    patience?: number;
    /** What counts as an improvement. Default: 1e-4. */
    threshold?: number;
    /** Whether the threshold is a share of the best metric or a difference. Default: rel. */
    thresholdMode?: 'rel' | 'abs';
    /** Steps after a cut in which nothing is counted. Default: 0. */
    cooldown?: number;
    /** Floor of the rate. Default: 0. */
    minLr?: number;
    /** Smaller cuts are left out. Default: 1e-8. */
    eps?: number;
}

const defaults: Required<PlateauOptions> = {
    mode: 'min',
    factor: 0.1,
    patience: 10,
    threshold: 1e-4,
    thresholdMode: 'rel',
    cooldown: 0,
    minLr: 0,
    eps: 1e-8,
};

/**
 * Multiplies the rate by `factor` when the metric handed to `step()` has not improved for more than `patience` steps, as in
 * PyTorch. NaN is no improvement.
 *
 * @throws TypeError when `step()` gets no metric.
 * @example
 * import { nn, optim } from 'nativegrad';
 * const optimizer = new optim.SGD(new nn.Linear(2, 1).parameters(), { lr: 0.5 });
 * const schedule = new optim.ReduceLROnPlateau(optimizer, { patience: 0 });
 * for (const loss of [1, 2]) schedule.step(loss);
 * console.log(schedule.rates); // [0.05]
 */
export class ReduceLROnPlateau extends Schedule {
    override readonly needsMetric = true;
    private readonly settings: Required<PlateauOptions>;
    private current: number[];
    private best: number;
    private badSteps = 0;
    private cooling = 0;

    constructor(optimizer: ScheduledOptimizer, options: PlateauOptions = {}) {
        super(optimizer, 'ReduceLROnPlateau');
        requireOptionNames('[ReduceLROnPlateau]', options, Object.keys(defaults));
        this.settings = { ...defaults, ...options };
        const { mode, thresholdMode, factor, patience } = this.settings;
        if (mode !== 'min' && mode !== 'max')
            throw new TypeError(`[ReduceLROnPlateau] mode must be min or max, got ${String(mode)}`);
        if (thresholdMode !== 'rel' && thresholdMode !== 'abs')
            throw new TypeError(
                `[ReduceLROnPlateau] thresholdMode must be rel or abs, got ${String(thresholdMode)}`,
            );
        if (!(factor > 0 && factor < 1))
            throw new RangeError(`[ReduceLROnPlateau] factor must be in (0, 1), got ${factor}`);
        if (!(patience >= 0))
            throw new RangeError(`[ReduceLROnPlateau] patience must be at least 0, got ${patience}`);
        this.best = mode === 'min' ? Infinity : -Infinity;
        this.current = this.rates;
    }

    override rate(base: number, _step: number, group: number): number {
        return this.current[group] ?? base;
    }

    override step(metric?: number): void {
        if (typeof metric !== 'number')
            throw new TypeError(`[ReduceLROnPlateau] step() needs the metric, got ${typeof metric}`);
        this.stepCount++;
        if (this.improves(metric)) {
            this.best = metric;
            this.badSteps = 0;
        } else {
            this.badSteps++;
        }
        if (this.cooling > 0) {
            this.cooling--;
            this.badSteps = 0;
        }
        if (this.badSteps <= this.settings.patience) return;
        this.cooling = this.settings.cooldown;
        this.badSteps = 0;
        this.cut();
    }

    override rebase(rates: readonly number[]): void {
        const { current } = this;
        this.current = [...rates];
        try {
            super.rebase(rates);
        } catch (error) {
            this.current = current;
            throw error;
        }
    }

    override stateDict(): ScheduleState {
        const { current, best, badSteps, cooling } = this;
        return { ...super.stateDict(), current: [...current], best, badSteps, cooling };
    }

    override loadStateDict(state: ScheduleState): void {
        const { current, best, badSteps, cooling } = state;
        if (
            !Array.isArray(current) ||
            typeof best !== 'number' ||
            typeof badSteps !== 'number' ||
            typeof cooling !== 'number'
        )
            throw new Error('[ReduceLROnPlateau] the state is not that of a ReduceLROnPlateau');
        Object.assign(this, { current: current.map(Number), best, badSteps, cooling });
        super.loadStateDict(state);
    }

    private improves(metric: number): boolean {
        const { mode, threshold, thresholdMode } = this.settings;
        // From an infinite best, any number is an improvement.
        if (!Number.isFinite(this.best)) return mode === 'min' ? metric < this.best : metric > this.best;
        if (thresholdMode === 'abs')
            return mode === 'min' ? metric < this.best - threshold : metric > this.best + threshold;
        return mode === 'min' ? metric < this.best * (1 - threshold) : metric > this.best * (1 + threshold);
    }

    private cut(): void {
        const { factor, minLr, eps } = this.settings;
        // From the rates in use, which may have been changed by hand.
        this.current = this.rates.map((rate) => {
            const next = Math.max(rate * factor, minLr);
            return rate - next > eps ? next : rate;
        });
        this.apply();
    }
}
