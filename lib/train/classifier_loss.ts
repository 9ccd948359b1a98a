import * as nn from '../nn/index.js';
import { oneHot, softmax } from '../ops/index.js';
import type { Tensor } from '../tensor/tensor.js';
import type { ClassifierSpec } from './classifier_spec.js';
import type { ClassifierLoss } from './score.js';

/**
 * The loss that a spec names. `cce` is the cross-entropy of the logits; `mse` the mean squared error between their softmax
 * and the one-hot labels.
 * logits [N, C], labels [N] -> 0-d
 */
export function classifierLoss(name: ClassifierSpec['loss']): ClassifierLoss {
    return name === 'cce' ? (logits, labels) => nn.crossEntropy(logits, labels) : softmaxSquaredError;
}

function softmaxSquaredError(logits: Tensor, labels: Tensor): Tensor {
    const probabilities = softmax(logits, 1);
    return nn.mseLoss(probabilities, oneHot(labels, logits.shape[1], logits.dtype));
}
