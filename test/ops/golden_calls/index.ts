import * as ng from '../../../lib/index.js';
import { tensorAt, type GoldenCalls } from './call.js';
import { elementwiseCalls } from './elementwise.js';
import { convolutions, normalization, pooling } from './images.js';
import { lossCalls } from './losses.js';
import { optimizerCalls } from './optimizers.js';
import { reductionCalls } from './reduce.js';
import { indexCalls, shapeCalls } from './shape.js';

const matrix: GoldenCalls = {
    matmul: ([a, b]) => ng.matmul(tensorAt([a], 0), tensorAt([b], 0)),
};

/** Every op of ops.json that the library has; PENDING of golden_ops.test.ts lists the others. */
export const goldenCalls: GoldenCalls = {
    ...elementwiseCalls,
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
