import { activeTracer, eachStep, guard, type StepState, type Tracer } from '../native/tracer.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Optimizer } from './optimizer.js';

export type Stage = 'ready' | 'unscaled' | 'stepped';

/** Where an optimizer stands between two updates. */
export interface OptimizerStage {
    /** int32 []: 1 where a gradient of this optimizer is not finite. */
    readonly found: Tensor;
    readonly stage: Stage;
}

/** Those that have come to `unscale_` or `step` since the last update, in this order. */
type Stages = Map<Optimizer, OptimizerStage>;

/**
 * The order of calls of a loss scaler. Optimizers are forgotten with each update; their flags go to those of the next
 * iteration, in the order in which they come. While a step is captured, what its calls do here is noted beside the stages
 * themselves, which change before each replay; so a capture that fails leaves them as they were.
 */
export class IterationStages implements StepState {
    private current: Stages = new Map();
    private traced: { readonly tracer: Tracer; readonly stages: Stages } | null = null;
    private flags: Tensor[] = [];

    /** `newFlag` makes a flag on the scaler's device. */
    constructor(private readonly newFlag: () => Tensor) {}

    /** As the running code sees them. */
    private get view(): Stages {
        const tracer = activeTracer();
        if (!tracer) return this.current;
        if (this.traced?.tracer !== tracer) {
            const before = [...this.current];
            this.traced = { tracer, stages: new Map(before) };
            guard(
                () => sameStages(before, [...this.current]),
                () => 'GradScaler is at another place between two calls of update()',
            );
        }
        return this.traced.stages;
    }

    get list(): OptimizerStage[] {
        return [...this.view.values()];
    }

    /** True where an optimizer has come to `unscale_` or `step` since the last update. */
    get hasBegun(): boolean {
        return this.list.some(({ stage }) => stage !== 'ready');
    }

    /** That of an optimizer before `unscale_` or `step`. */
    before(method: 'unscale_' | 'step', optimizer: Optimizer): OptimizerStage {
        const { view } = this;
        const own = view.get(optimizer) ?? { found: this.flagAt(view.size), stage: 'ready' };
        requireOrder(method, own.stage);
        // Its flag stays its own, also where the call fails after it was raised.
        view.set(optimizer, own);
        return own;
    }

    /** The method is done. */
    done(method: 'unscale_' | 'step', optimizer: Optimizer): void {
        const advance = (stages: Stages): void => {
            const { found, stage } = stages.get(optimizer) ?? {
                found: this.flagAt(stages.size),
                stage: 'ready',
            };
            requireOrder(method, stage);
            stages.set(optimizer, { found, stage: method === 'step' ? 'stepped' : 'unscaled' });
        };
        if (activeTracer()) advance(this.view);
        eachStep(() => advance(this.current), this);
    }

    /** The next iteration begins. */
    next(): void {
        if (activeTracer()) this.view.clear();
        eachStep(() => this.current.clear(), this);
    }

    private flagAt(place: number): Tensor {
        return (this.flags[place] ??= this.newFlag());
    }

    saveState(): () => void {
        const saved = [...this.current];
        return () => void (this.current = new Map(saved));
    }

    /** Forgets all, flags as well. */
    dispose(): void {
        for (const flag of this.flags) flag.dispose();
        this.flags = [];
        this.current.clear();
        this.traced?.stages.clear();
    }
}

function requireOrder(method: 'unscale_' | 'step', stage: Stage): void {
    if (method === 'unscale_' && stage === 'unscaled')
        throw new Error('[GradScaler] unscale_() was called for this optimizer already; call update() first');
    if (stage === 'stepped')
        throw new Error(
            `[GradScaler] ${method}() after step() of the same optimizer; call update() once in each iteration`,
        );
}

function sameStages(
    a: readonly (readonly [Optimizer, OptimizerStage])[],
    b: readonly (readonly [Optimizer, OptimizerStage])[],
): boolean {
    return (
        a.length === b.length &&
        a.every(([optimizer, { stage }], i) => b[i]?.[0] === optimizer && b[i][1].stage === stage)
    );
}
