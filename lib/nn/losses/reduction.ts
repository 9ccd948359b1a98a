import { requireFloat, requireTensor } from '../../ops/convert.js';
import { requireReduction, type Reduction } from '../../ops/cross_entropy.js';
import { mean, sum } from '../../ops/reduce.js';
import { sameShape, shapeText } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';

export interface LossOptions {
    /** How the terms are joined. Default: mean. */
    readonly reduction?: Reduction;
}

/** Joins the terms of a loss. */
export function reduceLoss(op: string, terms: Tensor, reduction: Reduction = 'mean'): Tensor {
    requireReduction(op, reduction);
    if (reduction === 'none') return terms;
    return reduction === 'sum' ? sum(terms) : mean(terms);
}

/** Checks prediction and target: float tensors of one shape, since broadcasting here hides mistakes. */
export function requirePair(op: string, x: Tensor, target: Tensor): void {
    requireTensor(op, x, 'the prediction');
    requireTensor(op, target, 'the target');
    requireFloat(op, x);
    if (!sameShape(x.shape, target.shape)) {
        throw new RangeError(
            `[${op}] prediction ${shapeText(x.shape)} and target ${shapeText(target.shape)} differ in shape; ` +
                'bring them together with reshape or expand',
        );
    }
}
