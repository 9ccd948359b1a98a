import { flatten } from '../ops/shape_ops.js';
import type { Tensor } from '../tensor/tensor.js';
import { Module, type Layer } from './module.js';
import { requireAxes } from './options.js';

/**
 * Joins the dimensions from `start` (default 1) to `end` (default the last): [N, C, H, W] -> [N, C * H * W].
 *
 * @example
 * import { nn, zeros } from 'nativegrad';
 * console.log(new nn.Flatten().forward(zeros([64, 28, 28])).shape); // [64, 784]
 */
export class Flatten extends Module implements Layer {
    constructor(
        readonly start = 1,
        readonly end = -1,
    ) {
        super();
        requireAxes('Flatten', { start, end });
    }

    forward(x: Tensor): Tensor {
        return flatten(x, this.start, this.end);
    }

    override describe(): string {
        return this.start === 1 && this.end === -1 ? '' : `${this.start}, ${this.end}`;
    }
}
