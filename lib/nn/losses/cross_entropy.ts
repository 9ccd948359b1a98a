import { fullPrecision } from '../../ops/autocast.js';
import { requireFloat, requireTensor } from '../../ops/convert.js';
import {
    labelCrossEntropy,
    probabilityCrossEntropy,
    requireReduction,
    type CrossEntropyOptions,
} from '../../ops/cross_entropy.js';
import { sameShape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';

/**
 * Cross entropy between raw scores (logits) and targets:
 *
 *     loss_i = -w_t log softmax(x_i)_t,   mean = sum_i loss_i / sum_i w_t
 *
 * with label smoothing s: (1 - s) loss_i - s / C sum_c w_c log softmax(x_i)_c. Scores are [N, C], [N, C, d...] or [C];
 * targets are integer labels without the class dimension, or probabilities (or one-hot rows) in the shape of the scores, whose
 * loss is -sum_c w_c p_c log softmax(x_i)_c (0 log 0 = 0) and whose mean divides by the number of samples. A label equal to `ignoreIndex` counts for nothing; a mean over
 * nothing is NaN, as in PyTorch (torch.nn.functional.cross_entropy).
 *
 * @throws RangeError when shapes do not fit or a label is outside [0, C).
 * @example
 * import { nn, tensor } from 'nativegrad';
 * const scores = tensor([[2, 0, -1]]);
 * console.log(nn.crossEntropy(scores, tensor([0], { dtype: 'int64' })).item().toFixed(4)); // 0.1698
 */
export function crossEntropy(x: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
    requireTensor('cross_entropy', x, 'scores');
    requireTensor('cross_entropy', target, 'targets');
    requireFloat('cross_entropy', x);
    requireReduction('cross_entropy', options.reduction ?? 'mean');
    const smoothing = options.labelSmoothing ?? 0;
    if (!(smoothing >= 0 && smoothing <= 1))
        throw new RangeError(`[cross_entropy] labelSmoothing must be in [0, 1], got ${smoothing}`);
    const scores = fullPrecision(x);
    if (x.rank > 0 && sameShape(x.shape, target.shape))
        return probabilityCrossEntropy(scores, fullPrecision(target), options);
    return labelCrossEntropy(scores, target, options);
}
