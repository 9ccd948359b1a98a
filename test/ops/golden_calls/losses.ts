import { nn } from '../../../lib/index.js';
import { optionalAt, tensorAt, type GoldenCalls } from './call.js';

export const lossCalls: GoldenCalls = {
    cross_entropy: (operands, options) =>
        nn.crossEntropy(tensorAt(operands, 0), tensorAt(operands, 1), {
            weight: optionalAt(operands, 2)?.to(tensorAt(operands, 0).dtype),
            ...options,
        }),
};
