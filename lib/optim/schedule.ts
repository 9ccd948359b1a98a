import { describeValue, isList } from '../support/describe_value.js';
import { eachStep } from '../native/tracer.js';
import type { CommonOptions, Optimizer, ParamGroup } from './optimizer.js';

/** What a schedule needs of an optimizer: groups whose `lr` it may set. */
export type ScheduledOptimizer = Pick<Optimizer, 'paramGroups'>;

type Group = ParamGroup<CommonOptions>;

/** The rate that each group was made with, before any schedule touched it. */
const initialRates = new WeakMap<Group, number>();

export interface ScheduleState {
    readonly stepCount: number;
    readonly baseRates: readonly number[];
    readonly [name: string]: unknown;
}

function requireOptimizer(label: string, optimizer: unknown): ScheduledOptimizer {
    if (typeof optimizer === 'object' && optimizer !== null && 'paramGroups' in optimizer) {
        if (Array.isArray(optimizer.paramGroups)) return optimizer as ScheduledOptimizer;
    }
    throw new TypeError(
        `[${label}] the first argument must be an optimizer, such as new Adam(model.parameters()), ` +
            `got ${describeValue(optimizer)}`,
    );
}

/**
 * Base of the schedules. Construct it after the optimizer: it sets the rate of the first step; each `step()` sets the next,
 * after `optimizer.step()`. The rate of step t is a function of t and of the rate that the optimizer was made with, so
 * schedules may be chained and resumed.
 */
export abstract class Schedule {
    /** True when `step()` takes a metric. */
    readonly needsMetric: boolean = false;
    protected stepCount = 0;
    protected baseRates: number[];

    constructor(
        readonly optimizer: ScheduledOptimizer,
        protected readonly label: string,
    ) {
        const { paramGroups } = requireOptimizer(label, optimizer);
        for (const group of paramGroups) if (!initialRates.has(group)) initialRates.set(group, group.lr);
        this.baseRates = paramGroups.map((group) => initialRates.get(group) ?? group.lr);
    }

    /** The rate in step `step` (from 0) of group `group`, whose rate was `base` at first. */
    abstract rate(base: number, step: number, group: number): number;

    /** The rates in use, group by group. */
    get rates(): number[] {
        return this.optimizer.paramGroups.map(({ lr }) => lr);
    }

    /** @internal True when a captured step may hold its `step()`: it needs no metric, and goes through `eachStep`. */
    get isCapturable(): boolean {
        return !this.needsMetric && Reflect.get(this, 'step') === Reflect.get(Schedule.prototype, 'step');
    }

    /** Moves on to the next step. */
    step(_metric?: number): void {
        eachStep(() => {
            this.stepCount++;
            this.apply();
        }, this);
    }

    /**
     * Goes on, from the present step, as if the optimizer had been made with these rates, one for each group. `OneCycleLR` has
     * rates of its own, and keeps them.
     *
     * @throws {RangeError} where they are not as many as the groups.
     * @example
     * import { nn, optim } from 'nativegrad';
     * const optimizer = new optim.SGD(new nn.Linear(2, 1).parameters(), { lr: 0.5 });
     * const schedule = new optim.StepLR(optimizer, { stepSize: 1 });
     * schedule.step();
     * schedule.rebase([4]);
     * console.log(schedule.rates); // [0.4]
     */
    rebase(rates: readonly number[]): void {
        const { length } = this.baseRates;
        if (!isList(rates) || rates.length !== length)
            throw new RangeError(
                `[${this.label}] rebase takes ${length} rates, one for each group, got ${describeValue(rates)}`,
            );
        this.baseRates = [...rates];
        this.apply();
    }

    /** @internal Sets the rates of the present step. */
    apply(): void {
        const rates = this.baseRates.map((base, group) => this.rate(base, this.stepCount, group));
        this.optimizer.paramGroups.forEach((group, i) => (group.lr = rates[i] ?? group.lr));
    }

    /** @internal */
    saveState(): () => void {
        const state = this.stateDict();
        const rates = this.optimizer.paramGroups.map(({ lr }) => lr);
        return () => {
            this.loadStateDict(state);
            this.optimizer.paramGroups.forEach((group, i) => (group.lr = rates[i] ?? group.lr));
        };
    }

    stateDict(): ScheduleState {
        return { stepCount: this.stepCount, baseRates: [...this.baseRates] };
    }

    /** Continues where the state was saved, and sets the rates. */
    loadStateDict(state: ScheduleState): void {
        if (!Number.isSafeInteger(state.stepCount) || state.baseRates.length !== this.baseRates.length) {
            throw new Error(
                `[${this.label}] the state is of ${state.baseRates.length} groups at step ${state.stepCount}, ` +
                    `the optimizer has ${this.baseRates.length}`,
            );
        }
        this.stepCount = state.stepCount;
        this.baseRates = [...state.baseRates];
        this.apply();
    }
}

/** @internal */
export function requirePositive(label: string, name: string, value: number, integer = false): void {
    if (!(value > 0) || !Number.isFinite(value) || (integer && !Number.isInteger(value))) {
        const rule = integer ? 'a positive integer' : 'a positive number';
        throw new RangeError(`[${label}] ${name} must be ${rule}, got ${String(value)}`);
    }
}
