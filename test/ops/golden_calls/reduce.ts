import * as ng from '../../../lib/index.js';
import { reduction, tensorAt, type GoldenCalls } from './call.js';

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
};
