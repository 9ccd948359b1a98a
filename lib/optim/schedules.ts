import { describeValue, isList } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import { requirePositive, Schedule, type ScheduledOptimizer } from './schedule.js';

/**
 * lr_t = lr_0 gamma^floor(t / stepSize)
 *
 * @example
 * import { nn, optim } from 'nativegrad';
 * const optimizer = new optim.SGD(new nn.Linear(2, 1).parameters(), { lr: 0.5 });
 * const schedule = new optim.StepLR(optimizer, { stepSize: 1, gamma: 0.5 });
 * schedule.step();
 * console.log(optimizer.paramGroups[0]?.lr); // 0.25
 */
export class StepLR extends Schedule {
    private readonly stepSize: number;
    private readonly gamma: number;

    constructor(optimizer: ScheduledOptimizer, options: { stepSize: number; gamma?: number }) {
        super(optimizer, 'StepLR');
        requireOptionNames('[StepLR]', options, ['stepSize', 'gamma']);
        this.stepSize = options.stepSize;
        this.gamma = options.gamma ?? 0.1;
        requirePositive('StepLR', 'stepSize', this.stepSize, true);
        requirePositive('StepLR', 'gamma', this.gamma);
        this.apply();
    }

    override rate(base: number, step: number): number {
        return base * this.gamma ** Math.floor(step / this.stepSize);
    }
}

/** lr_t = lr_0 gamma^t */
export class ExponentialLR extends Schedule {
    private readonly gamma: number;

    constructor(optimizer: ScheduledOptimizer, options: { gamma: number }) {
        super(optimizer, 'ExponentialLR');
        requireOptionNames('[ExponentialLR]', options, ['gamma']);
        this.gamma = options.gamma;
        requirePositive('ExponentialLR', 'gamma', this.gamma);
        this.apply();
    }

    override rate(base: number, step: number): number {
        return base * this.gamma ** step;
    }
}

/**
 * lr_t = etaMin + (lr_0 - etaMin) (1 + cos(pi t / tMax)) / 2 (Loshchilov and Hutter 2017, without restarts). Past `tMax` it
 * rises again, as in PyTorch.
 */
export class CosineAnnealingLR extends Schedule {
    private readonly tMax: number;
    private readonly etaMin: number;

    constructor(optimizer: ScheduledOptimizer, options: { tMax: number; etaMin?: number }) {
        super(optimizer, 'CosineAnnealingLR');
        requireOptionNames('[CosineAnnealingLR]', options, ['tMax', 'etaMin']);
        this.tMax = options.tMax;
        this.etaMin = options.etaMin ?? 0;
        requirePositive('CosineAnnealingLR', 'tMax', this.tMax, true);
        this.apply();
    }

    override rate(base: number, step: number): number {
        // At odd multiples the cosine is exactly -1.
        const cosine = Math.cos((Math.PI * (step % (2 * this.tMax))) / this.tMax);
        return this.etaMin + ((base - this.etaMin) * (1 + cosine)) / 2;
    }
}

/**
 * Warm-up: a factor on lr_0 that goes in a straight line from `startFactor` (default 1/3) to `endFactor` (default 1) in
 * `totalIters` steps (default 5) and stays there.
 */
export class LinearLR extends Schedule {
    private readonly start: number;
    private readonly end: number;
    private readonly totalIters: number;

    constructor(
        optimizer: ScheduledOptimizer,
        options: { startFactor?: number; endFactor?: number; totalIters?: number } = {},
    ) {
        super(optimizer, 'LinearLR');
        requireOptionNames('[LinearLR]', options, ['startFactor', 'endFactor', 'totalIters']);
        this.start = options.startFactor ?? 1 / 3;
        this.end = options.endFactor ?? 1;
        this.totalIters = options.totalIters ?? 5;
        if (!(this.start > 0 && this.start <= 1))
            throw new RangeError(`[LinearLR] startFactor must be in (0, 1], got ${this.start}`);
        if (!(this.end >= 0 && this.end <= 1))
            throw new RangeError(`[LinearLR] endFactor must be in [0, 1], got ${this.end}`);
        requirePositive('LinearLR', 'totalIters', this.totalIters, true);
        this.apply();
    }

    override rate(base: number, step: number): number {
        const share = Math.min(step, this.totalIters) / this.totalIters;
        return base * (this.start + (this.end - this.start) * share);
    }
}

/** lr_t = lr_0 factor(t), by a function of the step. */
export class LambdaLR extends Schedule {
    constructor(
        optimizer: ScheduledOptimizer,
        private readonly factor: (step: number) => number,
    ) {
        super(optimizer, 'LambdaLR');
        if (typeof factor !== 'function')
            throw new TypeError(
                `[LambdaLR] the factor must be a function (step) => number, got ${describeValue(factor)}`,
            );
        this.apply();
    }

    override rate(base: number, step: number): number {
        return base * this.factor(step);
    }
}

function requireSameOptimizer(label: string, schedules: readonly Schedule[]): ScheduledOptimizer {
    if (!isList(schedules))
        throw new TypeError(`[${label}] takes a list of schedules, got ${describeValue(schedules)}`);
    const optimizer = schedules[0]?.optimizer;
    if (!optimizer) throw new RangeError(`[${label}] needs at least one schedule`);
    if (schedules.some((schedule) => schedule.optimizer !== optimizer))
        throw new Error(`[${label}] the schedules belong to different optimizers`);
    return optimizer;
}

function refuseMetrics(label: string, schedules: readonly Schedule[]): void {
    for (const schedule of schedules)
        if (schedule.needsMetric)
            throw new TypeError(`[${label}] a schedule that follows a metric cannot be combined`);
}

/**
 * One schedule after the other: the next one begins, at its own step 0, at each milestone.
 *
 * @example
 * import { nn, optim } from 'nativegrad';
 * const optimizer = new optim.SGD(new nn.Linear(2, 1).parameters(), { lr: 0.5 });
 * const warmUp = new optim.LinearLR(optimizer, { startFactor: 0.1, totalIters: 5 });
 * const cosine = new optim.CosineAnnealingLR(optimizer, { tMax: 20 });
 * const schedule = new optim.SequentialLR([warmUp, cosine], { milestones: [5] });
 */
export class SequentialLR extends Schedule {
    private readonly milestones: readonly number[];

    constructor(
        private readonly schedules: readonly Schedule[],
        options: { milestones: readonly number[] },
    ) {
        super(requireSameOptimizer('SequentialLR', schedules), 'SequentialLR');
        requireOptionNames('[SequentialLR]', options, ['milestones']);
        this.milestones = options.milestones;
        if (!isList(this.milestones))
            throw new TypeError(
                `[SequentialLR] milestones must be a list of steps, got ${describeValue(this.milestones)}`,
            );
        refuseMetrics('SequentialLR', schedules);
        const ascending = this.milestones.every(
            (step, i) => Number.isInteger(step) && step > (i === 0 ? 0 : (this.milestones[i - 1] ?? 0)),
        );
        if (this.milestones.length !== schedules.length - 1 || !ascending) {
            throw new RangeError(
                `[SequentialLR] ${schedules.length} schedules need ${schedules.length - 1} ascending milestones, ` +
                    `got [${this.milestones.join(', ')}]`,
            );
        }
        this.apply();
    }

    override rate(base: number, step: number, group: number): number {
        const index = this.milestones.filter((milestone) => milestone <= step).length;
        const begin = index === 0 ? 0 : (this.milestones[index - 1] ?? 0);
        return this.schedules[index]?.rate(base, step - begin, group) ?? base;
    }
}

/** Several schedules at once: lr_t = lr_0 times the factors of all of them. */
export class ChainedLR extends Schedule {
    constructor(private readonly schedules: readonly Schedule[]) {
        super(requireSameOptimizer('ChainedLR', schedules), 'ChainedLR');
        refuseMetrics('ChainedLR', schedules);
        this.apply();
    }

    override rate(base: number, step: number, group: number): number {
        let rate = base;
        for (const schedule of this.schedules) rate *= schedule.rate(base, step, group) / base;
        return base === 0 ? 0 : rate;
    }
}
