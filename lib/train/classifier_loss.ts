import * as nn from '../nn/index.js';
import { oneHot, softmax } from '../ops/index.js';
import type { Tensor } from '../tensor/tensor.js';
import type { ClassifierLoss } from './score.js';

/** `cce`: cross-entropy of the logits; `mse`: mean squared error between their softmax and the one-hot labels. */
export type ClassifierLossName = 'cce' | 'mse';

/**
 * The loss of that name.
 * logits [N, C], labels [N] -> 0-d
 *
 * @example
 * ```ts
 * import { tensor, train } from 'nativegrad';
 * const loss = train.classifierLoss('cce')(tensor([[0, 0]]), tensor([1], { dtype: 'int32' }));
 * console.log(loss.item().toFixed(4)); // 0.6931
 * ```
 */
export function classifierLoss(name: ClassifierLossName): ClassifierLoss {
    return name === 'cce' ? (logits, labels) => nn.crossEntropy(logits, labels) : softmaxSquaredError;
}

function softmaxSquaredError(logits: Tensor, labels: Tensor): Tensor {
    const probabilities = softmax(logits, 1);
    return nn.mseLoss(probabilities, oneHot(labels, logits.shape[1], logits.dtype));
}
