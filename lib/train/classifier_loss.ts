import * as nn from '../nn/index.js';
import type { ClassifierSpec } from './classifier_spec.js';
import type { ClassifierLoss } from './score.js';

/**
 * The loss that a spec names. `cce` is the cross-entropy of the logits; `mse` the mean squared error between their softmax
 * and the one-hot labels.
 * logits [N, C], labels [N] -> 0-d
 */
export function classifierLoss(name: ClassifierSpec['loss']): ClassifierLoss {
    if (name !== 'cce') throw new RangeError(`the loss ${name} is not part of this version yet`);
    return (logits, labels) => nn.crossEntropy(logits, labels);
}
