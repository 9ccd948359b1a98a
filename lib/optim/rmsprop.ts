import { guard, perStep } from '../native/tracer.js';
import {
    Optimizer,
    requireOption,
    type CommonOptions,
    type ParamGroup,
    type Parameters,
    type Update,
} from './optimizer.js';

export interface RMSpropOptions extends CommonOptions {
    /** Decay of the mean square. Default: 0.99. */
    alpha?: number;
    /** Added to its root. Default: 1e-8. */
    eps?: number;
    /** Share of the last step that is added. Default: 0. */
    momentum?: number;
    /** Take the square of the gradient's mean off its mean square. Default: false. */
    centered?: boolean;
}

/**
 * RMSprop (Tieleman and Hinton 2012; centered: Graves 2013), as in PyTorch; lr 1e-2 by default:
 *
 *     g += decay p;  s = alpha s + (1 - alpha) g^2;  u = momentum u + g / (sqrt(s) + eps);  p -= lr u
 *
 * `centered` puts s - a^2 in the place of s, with a = alpha a + (1 - alpha) g, kept from falling below zero.
 *
 * @throws Error for no, repeated or non-leaf parameters; RangeError for options out of range.
 * @example
 * import { nn, optim } from 'nativegrad';
 * const optimizer = new optim.RMSprop(new nn.Linear(4, 1).parameters(), { lr: 1e-3, centered: true });
 */
export class RMSprop extends Optimizer<RMSpropOptions> {
    /** Its steps may be captured: what changes from step to step goes through `perStep` and `eachStep`. */
    static readonly capturable = true;

    constructor(parameters: Parameters<RMSpropOptions>, options: RMSpropOptions = {}) {
        super(
            'RMSprop',
            parameters,
            {
                lr: 1e-2,
                weightDecay: 0,
                alpha: 0.99,
                eps: 1e-8,
                momentum: 0,
                centered: false,
            },
            options,
        );
    }

    protected override checkOptions(options: Required<RMSpropOptions>): void {
        const { lr, alpha, eps, momentum, weightDecay } = options;
        requireOption(this.label, 'lr', lr, lr >= 0, 'at least 0');
        requireOption(this.label, 'alpha', alpha, alpha >= 0 && alpha <= 1, 'in [0, 1]');
        requireOption(this.label, 'eps', eps, eps >= 0, 'at least 0');
        requireOption(this.label, 'momentum', momentum, momentum >= 0, 'at least 0');
        requireOption(this.label, 'weightDecay', weightDecay, weightDecay >= 0, 'at least 0');
    }

    protected override stateNames({ centered, momentum }: ParamGroup<RMSpropOptions>): readonly string[] {
        return [
            'square_avg',
            ...(centered ? ['grad_avg'] : []),
            ...(momentum === 0 ? [] : ['momentum_buffer']),
        ];
    }

    protected override update(updates: readonly Update[], group: ParamGroup<RMSpropOptions>): void {
        const { centered } = group;
        const names = this.stateNames(group);
        const hasVelocity = group.momentum !== 0;
        guard(
            () => group.centered === centered && (group.momentum !== 0) === hasVelocity,
            () => `RMSprop has centered ${group.centered} and momentum ${group.momentum} now`,
        );
        const options = [
            perStep(() => group.lr),
            perStep(() => group.alpha),
            perStep(() => group.eps),
            perStep(() => group.weightDecay),
            perStep(() => group.momentum),
        ];
        this.runGroups('rmsprop_step', updates, names, [
            ...options,
            centered ? 1 : 0,
            hasVelocity ? 1 : 0,
            0,
        ]);
    }
}
