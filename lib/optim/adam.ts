import { describeValue, isList } from '../support/describe_value.js';
import { guard, perStep } from '../native/tracer.js';
import {
    groupUpdates,
    Optimizer,
    requireOption,
    type CommonOptions,
    type ParamGroup,
    type Parameters,
    type Update,
} from './optimizer.js';

export interface AdamOptions extends CommonOptions {
    /** Decay of the two moments. Default: [0.9, 0.999]. */
    betas?: readonly [number, number];
    /** Added to the root of the second moment. Default: 1e-8. */
    eps?: number;
    /** Divide by the largest second moment so far (Reddi et al. 2018). Default: false. */
    amsgrad?: boolean;
}

abstract class AdamFamily extends Optimizer<AdamOptions> {
    protected abstract readonly decoupled: boolean;

    protected override checkOptions({ lr, betas, eps, weightDecay }: Required<AdamOptions>): void {
        requireOption(this.label, 'lr', lr, lr >= 0, 'at least 0');
        if (!isList(betas) || betas.length !== 2)
            throw new TypeError(`[${this.label}] betas must be two numbers, got ${describeValue(betas)}`);
        betas.forEach((beta, i) =>
            requireOption(this.label, `betas[${i}]`, beta, beta >= 0 && beta < 1, 'in [0, 1)'),
        );
        requireOption(this.label, 'eps', eps, eps >= 0, 'at least 0');
        requireOption(this.label, 'weightDecay', weightDecay, weightDecay >= 0, 'at least 0');
    }

    protected override stateNames({ amsgrad }: ParamGroup<AdamOptions>): readonly string[] {
        return amsgrad ? ['exp_avg', 'exp_avg_sq', 'max_exp_avg_sq'] : ['exp_avg', 'exp_avg_sq'];
    }

    protected override update(updates: readonly Update[], group: ParamGroup<AdamOptions>): void {
        const { amsgrad } = group;
        guard(
            () => group.amsgrad === amsgrad,
            () => `${this.label} has amsgrad ${group.amsgrad} now`,
        );
        const moments = [
            perStep(() => group.lr),
            perStep(() => group.betas[0]),
            perStep(() => group.betas[1]),
            perStep(() => group.eps),
            perStep(() => group.weightDecay),
        ];
        // Parameters that sat out some steps have a bias correction of their own.
        for (const [{ state }, share] of groupUpdates(updates, (update) => update.state.step)) {
            const step = perStep(() => state.step);
            guard(
                () => share.every((update) => update.state.step === state.step),
                () => `parameters of ${this.label} are no longer at the same step`,
            );
            const flags = [this.decoupled ? 1 : 0, amsgrad ? 1 : 0, 0];
            this.runGroups('adam_step', share, this.stateNames(group), [...moments, step, ...flags]);
        }
    }
}

/**
 * Adam (Kingma and Ba 2015), with PyTorch's defaults: lr 1e-3, betas (0.9, 0.999), eps 1e-8, no weight decay.
 *
 *     m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  p -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
 *
 * `weightDecay` is added to the gradient (g += decay * p); `AdamW` decouples it.
 *
 * @throws Error for no, repeated or non-leaf parameters; RangeError for options out of range.
 * @example
 * import { nn, ones, optim } from 'nativegrad';
 * const model = new nn.Linear(4, 1);
 * const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
 * const loss = model.forward(ones([2, 4])).sum();
 * optimizer.zeroGrad();
 * loss.backward();
 * optimizer.step();
 */
export class Adam extends AdamFamily {
    /** Its steps may be captured: what changes from step to step goes through `perStep` and `eachStep`. */
    static readonly capturable = true;

    protected override readonly decoupled = false;

    constructor(parameters: Parameters<AdamOptions>, options: AdamOptions = {}) {
        super('Adam', parameters, defaults(0), options);
    }
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter 2019): p -= lr * decay * p before the step. Default decay: 0.01.
 *
 * @example
 * import { nn, optim } from 'nativegrad';
 * const optimizer = new optim.AdamW(new nn.Linear(4, 1).parameters(), { lr: 1e-3, weightDecay: 0.05 });
 */
export class AdamW extends AdamFamily {
    /** Its steps may be captured: what changes from step to step goes through `perStep` and `eachStep`. */
    static readonly capturable = true;

    protected override readonly decoupled = true;

    constructor(parameters: Parameters<AdamOptions>, options: AdamOptions = {}) {
        super('AdamW', parameters, defaults(0.01), options);
    }
}

function defaults(weightDecay: number): Required<AdamOptions> {
    return { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay, amsgrad: false };
}
