import { logSoftmax, softmax } from '../ops/softmax.js';
import type { Tensor } from '../tensor/tensor.js';
import { Module, type Layer } from './module.js';
import { requireAxes } from './options.js';

/** e^x over its sum along an axis, by default the last. Leave it out before `crossEntropy`, which takes raw scores. */
export class Softmax extends Module implements Layer {
    constructor(readonly axis = -1) {
        super();
        requireAxes('Softmax', { axis });
    }

    forward(x: Tensor): Tensor {
        return softmax(x, this.axis);
    }

    override describe(): string {
        return `axis: ${this.axis}`;
    }
}

/** log of `Softmax`; `nllLoss` takes it. */
export class LogSoftmax extends Module implements Layer {
    constructor(readonly axis = -1) {
        super();
        requireAxes('LogSoftmax', { axis });
    }

    forward(x: Tensor): Tensor {
        return logSoftmax(x, this.axis);
    }

    override describe(): string {
        return `axis: ${this.axis}`;
    }
}
