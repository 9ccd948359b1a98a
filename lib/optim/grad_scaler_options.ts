import { describeValue } from '../support/describe_value.js';
import { requireOption } from './optimizer.js';

export interface GradScalerOptions {
    /** The first scale. Default: 65536. */
    initScale?: number;
    /** The scale grows by this factor after `growthInterval` steps without overflow. Default: 2. */
    growthFactor?: number;
    /** It shrinks by this factor after a step with overflow. Default: 0.5. */
    backoffFactor?: number;
    /** Default: 2000. */
    growthInterval?: number;
    /** False makes `scale` and `step` do nothing of their own. Default: true. */
    enabled?: boolean;
}

/** State of a scaler. */
export interface GradScalerState {
    readonly scale: number;
    readonly growthFactor: number;
    readonly backoffFactor: number;
    readonly growthInterval: number;
    /** Steps since the scale was changed. */
    readonly growthTracker: number;
    readonly skippedSteps: number;
    /** Those of them in a row up to now. */
    readonly skippedInRow: number;
}

/** @internal */
export const scalerStateNames = Object.keys({
    scale: true,
    growthFactor: true,
    backoffFactor: true,
    growthInterval: true,
    growthTracker: true,
    skippedSteps: true,
    skippedInRow: true,
} satisfies Record<keyof GradScalerState, true>);

/** @internal Throws for a scale that float32 cannot hold, or whose inverse it cannot hold. */
export function requireScale(name: string, scale: number): void {
    const rounded = Math.fround(scale);
    const isScale = rounded > 0 && rounded < Infinity && Math.fround(1 / rounded) < Infinity;
    requireOption('GradScaler', name, scale, isScale, 'above 0 and finite in float32, as its inverse');
}

/** @internal Throws for options out of range. */
export function requireFactors(options: Omit<Required<GradScalerOptions>, 'initScale'>): void {
    const { growthFactor, backoffFactor, growthInterval, enabled } = options;
    requireOption('GradScaler', 'growthFactor', growthFactor, growthFactor > 1, 'above 1');
    const shrinks = backoffFactor > 0 && backoffFactor < 1;
    requireOption('GradScaler', 'backoffFactor', backoffFactor, shrinks, 'in (0, 1)');
    const isCount = Number.isSafeInteger(growthInterval) && growthInterval > 0;
    requireOption('GradScaler', 'growthInterval', growthInterval, isCount, 'a positive integer');
    if (typeof enabled !== 'boolean')
        throw new TypeError(`[GradScaler] enabled must be true or false, got ${describeValue(enabled)}`);
}
