import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { sizeOf } from '../tensor/shape.js';
import { zeros } from '../ops/create.js';
import { requireTensor } from '../tensor/require_tensor.js';
import { linear } from '../ops/linear.js';
import type { InitOptions } from './draw.js';
import { defaultInit } from './init.js';
import { Module, type Layer } from './module.js';
import { requireOptions, requireSizes } from './options.js';
import { Parameter } from './parameter.js';

export interface LinearOptions extends InitOptions {
    /** Default: true. */
    readonly bias?: boolean;
    /** Default: float32. */
    readonly dtype?: DType;
}

/**
 * y = x W^T + b, with x [*, inFeatures], W [outFeatures, inFeatures], b [outFeatures] -> [*, outFeatures].
 * W and b start uniform in [-1/sqrt(inFeatures), 1/sqrt(inFeatures)], as in PyTorch.
 *
 * @throws RangeError that names the layer when the last dimension is not inFeatures.
 * @example
 * import { nn, zeros } from 'nativegrad';
 * console.log(new nn.Linear(784, 10).forward(zeros([64, 784])).shape); // [64, 10]
 */
export class Linear extends Module implements Layer {
    readonly weight: Parameter;
    readonly bias: Parameter | null;

    constructor(
        readonly inFeatures: number,
        readonly outFeatures: number,
        options: LinearOptions = {},
    ) {
        super();
        requireOptions('Linear', options, 'bias', 'dtype', 'generator');
        requireSizes('Linear', { inFeatures, outFeatures });
        const dtype = options.dtype ?? 'float32';
        this.weight = new Parameter(zeros([outFeatures, inFeatures], { dtype }));
        this.bias = (options.bias ?? true) ? new Parameter(zeros([outFeatures], { dtype })) : null;
        defaultInit(this.weight, this.bias, options);
    }

    forward(x: Tensor): Tensor {
        requireTensor('forward', x);
        if (x.rank === 0 || x.shape[x.rank - 1] !== this.inFeatures)
            throw this.shapeError(`[*, ${this.inFeatures}]`, x.shape, this.hint(x));
        return linear(x, this.weight, this.bias);
    }

    private hint(x: Tensor): string {
        const perSample = sizeOf(x.shape.slice(1));
        if (x.rank > 2 && perSample === this.inFeatures) return 'did you forget Flatten?';
        if (x.rank > 2) return `flattened, a sample has ${perSample} values: make inFeatures that`;
        return `make inFeatures ${x.shape[x.rank - 1] ?? 1}, or the layer before give ${this.inFeatures}`;
    }

    override describe(): string {
        return `${this.inFeatures}, ${this.outFeatures}${this.bias ? '' : ', bias: false'}`;
    }
}
