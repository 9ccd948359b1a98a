import { fullPrecision } from '../../ops/autocast.js';
import { div, mul } from '../../ops/arithmetic.js';
import { ne } from '../../ops/compare.js';
import { cast, requireFloat, requireTensor } from '../../ops/convert.js';
import {
    requireLabels,
    requireReduction,
    requireWeight,
    type CrossEntropyOptions,
} from '../../ops/cross_entropy.js';
import { gather, indexSelect } from '../../ops/gather.js';
import { sum } from '../../ops/reduce.js';
import { reshape, squeeze, unsqueeze } from '../../ops/shape_ops.js';
import { neg } from '../../ops/unary.js';
import { where } from '../../ops/where.js';
import type { Tensor } from '../../tensor/tensor.js';

export type NLLOptions = Omit<CrossEntropyOptions, 'labelSmoothing'>;

/**
 * Negative log likelihood of integer labels under log-probabilities [N, C], [N, C, d...] or [C]: with class weights w,
 * mean = sum_i -w_t logp_it / sum_i w_t. `crossEntropy` is this after a log-softmax.
 *
 * @throws RangeError when shapes do not fit or a label is outside [0, C).
 */
export function nllLoss(logp: Tensor, labels: Tensor, options: NLLOptions = {}): Tensor {
    const op = 'nll_loss';
    requireTensor(op, logp, 'log-probabilities');
    requireTensor(op, labels, 'labels');
    requireFloat(op, logp);
    const reduction = options.reduction ?? 'mean';
    requireReduction(op, reduction);
    requireLabels(op, logp, labels);
    const axis = logp.rank === 1 ? 0 : 1;
    const weight = requireWeight(op, logp, options.weight, logp.shape[axis] ?? 0);

    const counted = ne(labels, options.ignoreIndex ?? -100);
    const inRange = where(counted, labels, 0);
    const likelihood = squeeze(gather(fullPrecision(logp), axis, unsqueeze(inRange, axis)), axis);
    const factors = weight && reshape(indexSelect(weight, 0, reshape(inRange, [inRange.size])), labels.shape);
    const shares = factors ? where(counted, factors, 0) : cast(counted, likelihood.dtype);
    // Not a product with 0: an ignored label's -Infinity would make it NaN.
    const terms = where(counted, factors ? mul(neg(likelihood), factors) : neg(likelihood), 0);
    if (reduction === 'none') return terms;
    const total = sum(terms);
    return reduction === 'sum' ? total : div(total, sum(shares));
}
