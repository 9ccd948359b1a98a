import { adaptiveAvgPool2d, avgPool2d, type AvgPoolOptions } from '../ops/avg_pool.js';
import { pairOf, type Pair } from '../ops/pair.js';
import { maxPool2d, windowGeometry, type MaxPoolOptions } from '../ops/pool.js';
import { squeeze, unsqueeze } from '../ops/shape_ops.js';
import { requireTensor } from '../tensor/require_tensor.js';
import { shapeText } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { Module, type Layer } from './module.js';
import { describeOptions, requireOptions } from './options.js';

function pairText(pair: Pair): string {
    return typeof pair === 'number' ? String(pair) : shapeText(pair);
}

/** Images may come without the batch dimension. */
abstract class Pooling extends Module implements Layer {
    protected abstract pool(x: Tensor): Tensor;

    forward(x: Tensor): Tensor {
        requireTensor('forward', x);
        if (x.rank === 3) return squeeze(this.pool(unsqueeze(x, 0)), 0);
        if (x.rank !== 4)
            throw this.shapeError('[N, C, H, W]', x.shape, x.rank === 2 ? 'pool before Flatten' : '');
        return this.pool(x);
    }
}

/**
 * Largest value of each window: [N, C, H, W] -> [N, C, H', W'], stride = kernel size by default.
 *
 * @example
 * import { nn, zeros } from 'nativegrad';
 * console.log(new nn.MaxPool2d(2).forward(zeros([8, 32, 28, 28])).shape); // [8, 32, 14, 14]
 */
export class MaxPool2d extends Pooling {
    constructor(
        readonly kernelSize: Pair,
        readonly options: MaxPoolOptions = {},
    ) {
        super();
        requireOptions('MaxPool2d', options, 'stride', 'padding', 'dilation', 'ceilMode');
        windowGeometry('MaxPool2d', kernelSize, options);
    }

    protected override pool(x: Tensor): Tensor {
        return maxPool2d(x, this.kernelSize, this.options);
    }

    override describe(): string {
        return pairText(this.kernelSize) + describeOptions(this.options);
    }
}

/** Mean of each window: [N, C, H, W] -> [N, C, H', W'], stride = kernel size by default. */
export class AvgPool2d extends Pooling {
    constructor(
        readonly kernelSize: Pair,
        readonly options: AvgPoolOptions = {},
    ) {
        super();
        requireOptions('AvgPool2d', options, 'stride', 'padding', 'ceilMode', 'countIncludePad');
        windowGeometry('AvgPool2d', kernelSize, options);
    }

    protected override pool(x: Tensor): Tensor {
        return avgPool2d(x, this.kernelSize, this.options);
    }

    override describe(): string {
        return pairText(this.kernelSize) + describeOptions(this.options);
    }
}

/** Means over windows chosen so that the output has a given size: [N, C, H, W] -> [N, C, ...outputSize]. */
export class AdaptiveAvgPool2d extends Pooling {
    constructor(readonly outputSize: Pair) {
        super();
        pairOf('AdaptiveAvgPool2d', 'outputSize', outputSize, 1);
    }

    protected override pool(x: Tensor): Tensor {
        return adaptiveAvgPool2d(x, this.outputSize);
    }

    override describe(): string {
        return pairText(this.outputSize);
    }
}
