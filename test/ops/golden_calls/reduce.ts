import * as ng from '../../../lib/index.js';
import { numberOption, reduction, tensorAt, type GoldenCalls } from './call.js';

export const reductionCalls: GoldenCalls = {
    sum: reduction(ng.sum),
    mean: reduction(ng.mean),
    prod: reduction(ng.prod),
    max: reduction(ng.max),
    min: reduction(ng.min),
    argmax: (operands, { axis, keepdims }) =>
        ng.argmax(tensorAt(operands, 0), axis as number | undefined, keepdims === true),
    argmin: (operands, { axis, keepdims }) =>
        ng.argmin(tensorAt(operands, 0), axis as number | undefined, keepdims === true),
    any: reduction(ng.any),
    all: reduction(ng.all),
    var: (operands, { axes, keepdims, correction }) =>
        ng.variance(
            tensorAt(operands, 0),
            axes as number[] | undefined,
            keepdims === true,
            numberOption(correction),
        ),
    std: (operands, { axes, keepdims, correction }) =>
        ng.std(
            tensorAt(operands, 0),
            axes as number[] | undefined,
            keepdims === true,
            numberOption(correction),
        ),
    cumsum: (operands, { axis }) => ng.cumsum(tensorAt(operands, 0), axis as number),
    logsumexp: reduction(ng.logsumexp),
    softmax: (operands, { axis }) => ng.softmax(tensorAt(operands, 0), axis as number),
    log_softmax: (operands, { axis }) => ng.logSoftmax(tensorAt(operands, 0), axis as number),
    norm: (operands, { axes, keepdims, order }) =>
        ng.norm(tensorAt(operands, 0), numberOption(order), axes as number[] | undefined, keepdims === true),
};
