import { eachStep, guard, perStep } from '../native/tracer.js';
import {
    groupUpdates,
    Optimizer,
    requireOption,
    type CommonOptions,
    type ParamGroup,
    type Parameters,
    type Update,
} from './optimizer.js';

export interface SGDOptions extends CommonOptions {
    /** Share of the last velocity that stays. Default: 0. */
    momentum?: number;
    /** Share of the gradient that does not enter the velocity. Default: 0. */
    dampening?: number;
    /** Look ahead along the velocity (Sutskever et al. 2013). Default: false. */
    nesterov?: boolean;
}

/**
 * Stochastic gradient descent, as in PyTorch; lr 1e-3 by default:
 *
 *     g += decay p;  u = momentum u + (1 - dampening) g (u = g in the first step);  p -= lr u
 *
 * with Nesterov p -= lr (g + momentum u).
 *
 * @throws Error for no, repeated or non-leaf parameters; RangeError for options out of range.
 * @example
 * import { nn, optim } from 'nativegrad';
 * const optimizer = new optim.SGD(new nn.Linear(4, 1).parameters(), { lr: 0.1, momentum: 0.9, nesterov: true });
 */
export class SGD extends Optimizer<SGDOptions> {
    /** Its steps may be captured: what changes from step to step goes through `perStep` and `eachStep`. */
    static readonly capturable = true;

    constructor(parameters: Parameters<SGDOptions>, options: SGDOptions = {}) {
        super(
            'SGD',
            parameters,
            {
                lr: 1e-3,
                weightDecay: 0,
                momentum: 0,
                dampening: 0,
                nesterov: false,
            },
            options,
        );
    }

    protected override checkOptions(options: Required<SGDOptions>): void {
        const { lr, momentum, dampening, weightDecay, nesterov } = options;
        requireOption(this.label, 'lr', lr, lr >= 0, 'at least 0');
        requireOption(this.label, 'momentum', momentum, momentum >= 0, 'at least 0');
        requireOption(this.label, 'weightDecay', weightDecay, weightDecay >= 0, 'at least 0');
        if (nesterov && (momentum === 0 || dampening !== 0))
            throw new RangeError('[SGD] nesterov needs a momentum above 0 and no dampening');
    }

    protected override stateNames({ momentum }: ParamGroup<SGDOptions>): readonly string[] {
        return momentum === 0 ? [] : ['momentum_buffer'];
    }

    protected override update(updates: readonly Update[], group: ParamGroup<SGDOptions>): void {
        const { nesterov } = group;
        const names = this.stateNames(group);
        guard(
            () => group.nesterov === nesterov && this.stateNames(group).length === names.length,
            () => `SGD has nesterov ${group.nesterov} and momentum ${group.momentum} now`,
        );
        const options = [
            perStep(() => group.lr),
            perStep(() => group.momentum),
            perStep(() => group.dampening),
            perStep(() => group.weightDecay),
        ];
        // Divided before the first call, which changes what is fresh. Under a loss scaler the device knows whether the first
        // step was left out, from how many there were.
        const { isScaled } = this;
        const ageOf = ({ state }: Update): number =>
            isScaled ? state.step - state.madeAt : state.fresh ? 1 : 0;
        for (const [leader, share] of groupUpdates(updates, ageOf)) {
            const first = perStep(() => ageOf(leader));
            if (isScaled)
                guard(
                    () => share.every((update) => ageOf(update) === ageOf(leader)),
                    () => 'parameters of SGD are no longer at the same step',
                );
            const flags = [nesterov ? 1 : 0, names.length];
            this.runGroups('sgd_step', share, names, [...options, ...flags, first, 0]);
            eachStep(() => {
                for (const { state } of share) state.fresh = false;
            }, this);
        }
    }
}
