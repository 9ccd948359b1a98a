import { noGrad } from '../autograd/grad_mode.js';
import { ones, zeros } from '../ops/create.js';
import { add_ } from '../ops/in_place.js';
import { batchNorm } from '../ops/norm.js';
import type { DType } from '../tensor/dtype.js';
import { requireTensor } from '../tensor/require_tensor.js';
import type { Tensor } from '../tensor/tensor.js';
import { Module, type Layer } from './module.js';
import { describeOptions, requireNumbers, requireOptions, requireSizes } from './options.js';
import { Parameter } from './parameter.js';

export interface BatchNormLayerOptions {
    /** Added to the variance. Default: 1e-5. */
    readonly eps?: number;
    /** Share of the new statistics in the running ones; null for their plain mean. Default: 0.1. */
    readonly momentum?: number | null;
    /** Learn a factor and an offset per channel. Default: true. */
    readonly affine?: boolean;
    /** Keep running statistics for evaluation. Default: true. */
    readonly trackRunningStats?: boolean;
    /** Default: float32. */
    readonly dtype?: DType;
}

/** What the two batch norms share. */
export abstract class BatchNorm extends Module implements Layer {
    readonly weight: Parameter | null;
    readonly bias: Parameter | null;
    private readonly tracks: boolean;

    constructor(
        readonly numFeatures: number,
        readonly options: BatchNormLayerOptions = {},
    ) {
        super();
        requireOptions(new.target.name, options, 'eps', 'momentum', 'affine', 'trackRunningStats', 'dtype');
        requireNumbers(new.target.name, { eps: options.eps ?? 0, momentum: options.momentum ?? 0 }, 0);
        requireSizes(new.target.name, { numFeatures });
        const dtype = options.dtype ?? 'float32';
        const affine = options.affine ?? true;
        this.weight = affine ? new Parameter(ones([numFeatures], { dtype })) : null;
        this.bias = affine ? new Parameter(zeros([numFeatures], { dtype })) : null;
        this.tracks = options.trackRunningStats ?? true;
        if (!this.tracks) return;
        this.registerBuffer('running_mean', zeros([numFeatures], { dtype }));
        this.registerBuffer('running_var', ones([numFeatures], { dtype }));
        this.registerBuffer('num_batches_tracked', zeros([], { dtype: 'int64' }));
    }

    /** Running mean [C], or null where it is not tracked. */
    get runningMean(): Tensor | null {
        return this.tracks ? this.buffer('running_mean') : null;
    }

    /** Running variance [C], or null where it is not tracked. */
    get runningVar(): Tensor | null {
        return this.tracks ? this.buffer('running_var') : null;
    }

    protected abstract readonly ranks: readonly number[];
    protected abstract readonly expected: string;

    forward(x: Tensor): Tensor {
        requireTensor('forward', x);
        if (!this.ranks.includes(x.rank) || x.shape[1] !== this.numFeatures) {
            const hint = this.ranks.includes(x.rank)
                ? `make numFeatures ${x.shape[1] ?? 1}, the number of channels`
                : '';
            throw this.shapeError(this.expected, x.shape, hint);
        }
        const training = this.training || !this.tracks;
        const momentum = this.training && this.tracks ? this.countBatch() : 0;
        return batchNorm(x, this.weight, this.bias, this.runningMean, this.runningVar, {
            training,
            momentum,
            eps: this.options.eps ?? 1e-5,
        });
    }

    private countBatch(): number {
        const count = this.buffer('num_batches_tracked');
        noGrad(() => add_(count, 1));
        const { momentum = 0.1 } = this.options;
        return momentum ?? 1 / count.item();
    }

    override describe(): string {
        return `${this.numFeatures}${describeOptions(this.options)}`;
    }
}

/**
 * Batch normalisation of images, per channel: x [N, C, H, W] -> the same shape. In training by the batch's statistics, which
 * also move the running ones; in evaluation by the running ones (Ioffe and Szegedy 2015).
 *
 * @throws RangeError that names the layer when the channels do not fit.
 * @example
 * import { nn, zeros } from 'nativegrad';
 * const layer = new nn.BatchNorm2d(32);
 * console.log(layer.eval().forward(zeros([8, 32, 14, 14])).shape); // [8, 32, 14, 14]
 */
export class BatchNorm2d extends BatchNorm {
    protected override readonly ranks = [4];
    protected override readonly expected = `[N, ${this.numFeatures}, H, W]`;
}

/** Batch normalisation of features [N, C] or sequences [N, C, L]; see `BatchNorm2d`. */
export class BatchNorm1d extends BatchNorm {
    protected override readonly ranks = [2, 3];
    protected override readonly expected = `[N, ${this.numFeatures}] or [N, ${this.numFeatures}, L]`;
}
