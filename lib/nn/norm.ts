import { ones, zeros } from '../ops/create.js';
import { groupNorm, layerNorm } from '../ops/row_norm.js';
import type { DType } from '../tensor/dtype.js';
import { requireTensor } from '../tensor/require_tensor.js';
import { requireList, sameShape, shapeText, sizeOf, type Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { Module, type Layer } from './module.js';
import { describeOptions, requireNumbers, requireOptions, requireSizes } from './options.js';
import { Parameter } from './parameter.js';

export interface LayerNormOptions {
    /** Added to the variance. Default: 1e-5. */
    readonly eps?: number;
    /** Learn a factor and an offset per element. Default: true. */
    readonly elementwiseAffine?: boolean;
    /** Learn the offset, where elements are learned. Default: true. */
    readonly bias?: boolean;
    /** Default: float32. */
    readonly dtype?: DType;
}

/**
 * Normalises the last dimensions of each sample: x [*, ...normalizedShape] -> the same shape (Ba, Kiros and Hinton 2016).
 *
 * @throws RangeError that names the layer when the last dimensions differ.
 * @example
 * import { nn, zeros } from 'nativegrad';
 * console.log(new nn.LayerNorm(64).forward(zeros([8, 10, 64])).shape); // [8, 10, 64]
 */
export class LayerNorm extends Module implements Layer {
    readonly normalizedShape: Shape;
    readonly weight: Parameter | null;
    readonly bias: Parameter | null;

    constructor(
        normalizedShape: number | Shape,
        readonly options: LayerNormOptions = {},
    ) {
        super();
        requireNumbers('LayerNorm', { eps: options.eps ?? 0 }, 0);
        requireOptions('LayerNorm', options, 'eps', 'elementwiseAffine', 'bias', 'dtype');
        if (typeof normalizedShape !== 'number') requireList('LayerNorm', 'normalizedShape', normalizedShape);
        this.normalizedShape = typeof normalizedShape === 'number' ? [normalizedShape] : [...normalizedShape];
        if (this.normalizedShape.length === 0)
            throw new RangeError('LayerNorm: normalizedShape must name at least one dimension');
        for (const size of this.normalizedShape) requireSizes('LayerNorm', { normalizedShape: size });
        const dtype = options.dtype ?? 'float32';
        const affine = options.elementwiseAffine ?? true;
        this.weight = affine ? new Parameter(ones(this.normalizedShape, { dtype })) : null;
        this.bias =
            affine && (options.bias ?? true) ? new Parameter(zeros(this.normalizedShape, { dtype })) : null;
    }

    forward(x: Tensor): Tensor {
        requireTensor('forward', x);
        const { normalizedShape } = this;
        if (!sameShape(x.shape.slice(-normalizedShape.length), normalizedShape))
            throw this.shapeError(
                `[*, ${normalizedShape.join(', ')}]`,
                x.shape,
                'it normalises the last dimensions',
            );
        return layerNorm(x, normalizedShape, this.weight, this.bias, { eps: this.options.eps ?? 1e-5 });
    }

    override positions(_input: Tensor, output: Tensor): number {
        return output.size / Math.max(1, sizeOf(this.normalizedShape));
    }

    override describe(): string {
        return shapeText(this.normalizedShape) + describeOptions(this.options);
    }
}

export interface GroupNormOptions {
    /** Added to the variance. Default: 1e-5. */
    readonly eps?: number;
    /** Learn a factor and an offset per channel. Default: true. */
    readonly affine?: boolean;
    /** Default: float32. */
    readonly dtype?: DType;
}

/**
 * Normalises groups of channels of each sample: x [N, C, ...] -> the same shape (Wu and He 2018).
 *
 * @throws RangeError that names the layer when the channels do not fit.
 */
export class GroupNorm extends Module implements Layer {
    readonly weight: Parameter | null;
    readonly bias: Parameter | null;

    constructor(
        readonly numGroups: number,
        readonly numChannels: number,
        readonly options: GroupNormOptions = {},
    ) {
        super();
        requireNumbers('GroupNorm', { eps: options.eps ?? 0 }, 0);
        requireOptions('GroupNorm', options, 'eps', 'affine', 'dtype');
        requireSizes('GroupNorm', { numGroups, numChannels });
        if (numChannels % numGroups !== 0)
            throw new RangeError(`GroupNorm: ${numGroups} groups do not divide ${numChannels} channels`);
        const dtype = options.dtype ?? 'float32';
        const affine = options.affine ?? true;
        this.weight = affine ? new Parameter(ones([numChannels], { dtype })) : null;
        this.bias = affine ? new Parameter(zeros([numChannels], { dtype })) : null;
    }

    forward(x: Tensor): Tensor {
        requireTensor('forward', x);
        if (x.rank < 2 || x.shape[1] !== this.numChannels)
            throw this.shapeError(`[N, ${this.numChannels}, *]`, x.shape, 'channels come second');
        return groupNorm(x, this.numGroups, this.weight, this.bias, { eps: this.options.eps ?? 1e-5 });
    }

    override describe(): string {
        return `${this.numGroups}, ${this.numChannels}${describeOptions(this.options)}`;
    }
}
