import {
    elu,
    gelu,
    leakyRelu,
    relu,
    sigmoid,
    silu,
    softplus,
    tanh,
    type GeluKind,
} from '../ops/activation.js';
import { describeValue } from '../support/describe_value.js';
import { requireTensor } from '../tensor/require_tensor.js';
import type { Tensor } from '../tensor/tensor.js';
import { Module, type Layer } from './module.js';
import { requireNumbers } from './options.js';

/** x itself. */
export class Identity extends Module implements Layer {
    forward(x: Tensor): Tensor {
        requireTensor('forward', x);
        return x;
    }
}

/** max(x, 0), any shape. */
export class ReLU extends Module implements Layer {
    forward(x: Tensor): Tensor {
        return relu(x);
    }
}

/** x where it is positive, else negativeSlope x (default 0.01). */
export class LeakyReLU extends Module implements Layer {
    constructor(readonly negativeSlope = 0.01) {
        super();
        requireNumbers('LeakyReLU', { negativeSlope });
    }

    forward(x: Tensor): Tensor {
        return leakyRelu(x, this.negativeSlope);
    }

    override describe(): string {
        return String(this.negativeSlope);
    }
}

/** x where it is positive, else alpha (e^x - 1), alpha 1 by default (Clevert et al. 2016). */
export class ELU extends Module implements Layer {
    constructor(readonly alpha = 1) {
        super();
        requireNumbers('ELU', { alpha });
    }

    forward(x: Tensor): Tensor {
        return elu(x, this.alpha);
    }

    override describe(): string {
        return String(this.alpha);
    }
}

/** x times the normal distribution function of x, exact or by a tanh (Hendrycks and Gimpel 2016). */
export class GELU extends Module implements Layer {
    constructor(readonly approximate: GeluKind = 'none') {
        super();
        if (approximate !== 'none' && approximate !== 'tanh')
            throw new TypeError(`GELU: approximate must be none or tanh, got ${describeValue(approximate)}`);
    }

    forward(x: Tensor): Tensor {
        return gelu(x, this.approximate);
    }

    override describe(): string {
        return this.approximate === 'none' ? '' : this.approximate;
    }
}

/** x sigmoid(x). */
export class SiLU extends Module implements Layer {
    forward(x: Tensor): Tensor {
        return silu(x);
    }
}

/** log(1 + e^(beta x)) / beta, and x itself where beta x > threshold. */
export class Softplus extends Module implements Layer {
    constructor(
        readonly beta = 1,
        readonly threshold = 20,
    ) {
        super();
        requireNumbers('Softplus', { beta, threshold });
        if (beta === 0) throw new RangeError('Softplus: beta must not be 0');
    }

    forward(x: Tensor): Tensor {
        return softplus(x, this.beta, this.threshold);
    }

    override describe(): string {
        return this.beta === 1 && this.threshold === 20 ? '' : `${this.beta}, ${this.threshold}`;
    }
}

/** 1 / (1 + e^-x). */
export class Sigmoid extends Module implements Layer {
    forward(x: Tensor): Tensor {
        return sigmoid(x);
    }
}

/** Hyperbolic tangent. */
export class Tanh extends Module implements Layer {
    forward(x: Tensor): Tensor {
        return tanh(x);
    }
}
