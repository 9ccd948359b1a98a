import * as ng from '../../../lib/index.js';
import type { DType } from '../../../lib/index.js';
import { binary, tensorAt, unary, type GoldenCalls } from './call.js';
import { convolutions, normalization, pooling } from './images.js';
import { lossCalls } from './losses.js';
import { optimizerCalls } from './optimizers.js';
import { reductionCalls } from './reduce.js';
import { indexCalls, shapeCalls } from './shape.js';

const arithmetic: GoldenCalls = {
    add: binary(ng.add),
    sub: binary(ng.sub),
    mul: binary(ng.mul),
    div: binary(ng.div),
    relu: unary(ng.relu),
    cast: (operands, { dtype }) => ng.cast(tensorAt(operands, 0), dtype as DType),
};

const matrix: GoldenCalls = {
    matmul: ([a, b]) => ng.matmul(tensorAt([a], 0), tensorAt([b], 0)),
};

/** Every op of ops.json that the library has; PENDING of golden_ops.test.ts lists the others. */
export const goldenCalls: GoldenCalls = {
    ...arithmetic,
    ...reductionCalls,
    ...matrix,
    ...convolutions,
    ...pooling,
    ...normalization,
    ...shapeCalls,
    ...indexCalls,
    ...lossCalls,
    ...optimizerCalls,
};
