import { relu } from '../ops/activation.js';
import type { Tensor } from '../tensor/tensor.js';
import { Module, type Layer } from './module.js';

/** max(x, 0), any shape. */
export class ReLU extends Module implements Layer {
    forward(x: Tensor): Tensor {
        return relu(x);
    }
}
