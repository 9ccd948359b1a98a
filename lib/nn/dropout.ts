import { guard, perStep } from '../native/tracer.js';
import { requireFloat } from '../ops/convert.js';
import { dropoutBy } from '../ops/dropout.js';
import { defaultGenerator, type Generator } from '../ops/generator.js';
import { requireTensor } from '../tensor/require_tensor.js';
import type { Tensor } from '../tensor/tensor.js';
import { Module, type Layer } from './module.js';
import { requireOptions } from './options.js';

export interface DropoutLayerOptions {
    /** Where the random numbers come from; default: the generator that `manualSeed` seeds. */
    readonly generator?: Generator;
}

/**
 * In training, sets each element to 0 with probability p (default 0.5) and divides the others by 1 - p; in evaluation, x
 * itself (Srivastava et al. 2014). Any shape.
 *
 * @throws RangeError for a probability outside [0, 1].
 * @example
 * import { nn, ones } from 'nativegrad';
 * console.log(new nn.Dropout(0.5).eval().forward(ones([3])).toArray()); // [1, 1, 1]
 */
export class Dropout extends Module implements Layer {
    /** @internal */
    readonly generator: Generator;

    constructor(
        readonly p = 0.5,
        options: DropoutLayerOptions = {},
    ) {
        super();
        requireOptions('Dropout', options, 'generator');
        if (!(p >= 0 && p <= 1)) throw new RangeError(`Dropout: p must be in [0, 1], got ${String(p)}`);
        this.generator = options.generator ?? defaultGenerator;
    }

    forward(x: Tensor): Tensor {
        requireTensor('forward', x);
        requireFloat('forward', x);
        const drops = this.p > 0;
        guard(
            () => this.p > 0 === drops,
            () => `Dropout has p ${this.p} now`,
        );
        if (!this.training || !drops) return x;
        return dropoutBy(
            x,
            perStep(() => this.p),
            this.generator,
        );
    }

    override describe(): string {
        return String(this.p);
    }
}
