import * as nn from '../nn/index.js';
import { detach, div, exp, max, oneHot, sub, sum } from '../ops/index.js';
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
    // The shift changes nothing but keeps the exponentials finite, so no gradient goes through it.
    const exponentials = exp(sub(logits, max(detach(logits), 1, true)));
    const probabilities = div(exponentials, sum(exponentials, 1, true));
    return nn.mseLoss(probabilities, oneHot(labels, logits.shape[1], logits.dtype));
}
