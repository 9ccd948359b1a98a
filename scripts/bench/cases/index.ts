import type { Benchmark } from '../benchmark.js';
import { activation } from './activation.js';
import { batchNorm } from './batch_norm.js';
import { cnn } from './cnn.js';
import { conv } from './conv.js';
import { crossEntropy } from './cross_entropy.js';
import { eager } from './eager.js';
import { gemm } from './gemm.js';
import { layerNorm } from './layer_norm.js';
import { maxPool } from './max_pool.js';
import { mlp } from './mlp.js';
import { models } from './models.js';
import { reductions } from './reduce.js';
import { softmax } from './softmax.js';
import { startup } from './startup.js';

/** Every row that `npm run bench` knows. Names are fixed: results of different days are compared by them. */
export const BENCHMARKS: readonly Benchmark[] = [
    ...gemm,
    ...conv,
    ...batchNorm,
    ...maxPool,
    ...softmax,
    ...crossEntropy,
    ...layerNorm,
    ...reductions,
    ...activation,
    ...mlp,
    ...cnn,
    ...models,
    ...eager,
    ...startup,
];
