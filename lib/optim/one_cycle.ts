import { requireOptionNames } from '../support/option_names.js';
import { requirePositive, Schedule, type ScheduledOptimizer } from './schedule.js';

export interface OneCycleOptions {
    /** Peak rate, of all groups or one each. */
    maxLr: number | readonly number[];
    totalSteps: number;
    /** Share of the steps in which the rate rises. Default: 0.3. */
    pctStart?: number;
    /** Default: cos. */
    annealStrategy?: 'cos' | 'linear';
    /** The rate starts at maxLr / divFactor. Default: 25. */
    divFactor?: number;
    /** It ends at the start's rate / finalDivFactor. Default: 1e4. */
    finalDivFactor?: number;
    /** Fall to the start's rate as slowly as it rose, then to the end's. Default: false. */
    threePhase?: boolean;
    /** Move momentum (SGD, RMSprop) or the first beta (Adam) the other way. Default: true. */
    cycleMomentum?: boolean;
    /** Momentum at the peak. Default: 0.85. */
    baseMomentum?: number;
    /** Momentum at both ends. Default: 0.95. */
    maxMomentum?: number;
}

const defaults: Required<Omit<OneCycleOptions, 'maxLr' | 'totalSteps'>> = {
    pctStart: 0.3,
    annealStrategy: 'cos',
    divFactor: 25,
    finalDivFactor: 1e4,
    threePhase: false,
    cycleMomentum: true,
    baseMomentum: 0.85,
    maxMomentum: 0.95,
};

interface Phase {
    readonly end: number;
    readonly rates: readonly [number, number];
    readonly momenta: readonly [number, number];
}

interface MomentumGroup {
    momentum?: number;
    betas?: readonly [number, number];
}

/**
 * One cycle (Smith and Topin 2018), as in PyTorch: the rate rises from maxLr / divFactor to maxLr and falls to almost nothing,
 * while momentum falls and rises. Call `step()` after every batch, `totalSteps` times.
 *
 * @throws RangeError when stepped further than `totalSteps`.
 */
export class OneCycleLR extends Schedule {
    private readonly settings: Required<OneCycleOptions>;
    private readonly peaks: readonly number[];

    constructor(optimizer: ScheduledOptimizer, options: OneCycleOptions) {
        super(optimizer, 'OneCycleLR');
        requireOptionNames('[OneCycleLR]', options, ['maxLr', 'totalSteps', ...Object.keys(defaults)]);
        this.settings = { ...defaults, ...options };
        const { maxLr, totalSteps, pctStart, annealStrategy, divFactor, finalDivFactor } = this.settings;
        this.peaks = typeof maxLr === 'number' ? optimizer.paramGroups.map(() => maxLr) : maxLr;
        if (this.peaks.length !== optimizer.paramGroups.length) {
            throw new RangeError(
                `[OneCycleLR] maxLr has ${this.peaks.length} values for ${optimizer.paramGroups.length} groups`,
            );
        }
        for (const peak of this.peaks) requirePositive('OneCycleLR', 'maxLr', peak);
        requirePositive('OneCycleLR', 'totalSteps', totalSteps, true);
        requirePositive('OneCycleLR', 'divFactor', divFactor);
        requirePositive('OneCycleLR', 'finalDivFactor', finalDivFactor);
        if (!(pctStart >= 0 && pctStart <= 1))
            throw new RangeError(`[OneCycleLR] pctStart must be in [0, 1], got ${pctStart}`);
        if (annealStrategy !== 'cos' && annealStrategy !== 'linear')
            throw new TypeError(
                `[OneCycleLR] annealStrategy must be cos or linear, got ${String(annealStrategy)}`,
            );
        this.apply();
    }

    override rate(_base: number, step: number, group: number): number {
        return this.at(step, this.peaks[group] ?? 0).rate;
    }

    override apply(): void {
        super.apply();
        if (!this.settings.cycleMomentum) return;
        const { momentum } = this.at(this.stepCount, 1);
        for (const group of this.optimizer.paramGroups as MomentumGroup[]) {
            if (group.betas) group.betas = [momentum, group.betas[1]];
            else if (group.momentum !== undefined) group.momentum = momentum;
        }
    }

    private phases(peak: number): readonly Phase[] {
        const { totalSteps, pctStart, divFactor, finalDivFactor, threePhase } = this.settings;
        const { baseMomentum: low, maxMomentum: high } = this.settings;
        const start = peak / divFactor;
        const end = start / finalDivFactor;
        const rise: Phase = { end: pctStart * totalSteps - 1, rates: [start, peak], momenta: [high, low] };
        if (!threePhase) return [rise, { end: totalSteps - 1, rates: [peak, end], momenta: [low, high] }];
        return [
            rise,
            { end: 2 * pctStart * totalSteps - 2, rates: [peak, start], momenta: [low, high] },
            { end: totalSteps - 1, rates: [start, end], momenta: [high, high] },
        ];
    }

    private at(step: number, peak: number): { rate: number; momentum: number } {
        const { totalSteps, annealStrategy } = this.settings;
        // One more is let through, as in PyTorch: loops step behind the last batch, whose rate nobody uses.
        if (step > totalSteps)
            throw new RangeError(
                `[OneCycleLR] step ${step} of a cycle of ${totalSteps}; totalSteps is epochs * batches of an epoch`,
            );
        const phases = this.phases(peak);
        const index = phases.findIndex(({ end }, i) => step <= end || i === phases.length - 1);
        const phase = phases[index];
        const begin = index === 0 ? 0 : (phases[index - 1]?.end ?? 0);
        // A phase of no steps is over at once.
        const share = phase.end === begin ? 1 : (step - begin) / (phase.end - begin);
        const between = ([from, to]: readonly [number, number]): number =>
            annealStrategy === 'linear'
                ? from + (to - from) * share
                : to + ((from - to) / 2) * (1 + Math.cos(Math.PI * share));
        return { rate: between(phase.rates), momentum: between(phase.momenta) };
    }
}
