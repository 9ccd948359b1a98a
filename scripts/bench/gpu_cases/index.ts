import type { Benchmark } from '../benchmark.js';
import { convolutionRows } from './convolutions.js';
import { copyRows } from './copies.js';
import { modelsRows } from './models.js';
import { productRows } from './products.js';
import { FULL, type Sizes } from './sizes.js';
import { trainingRows } from './training.js';

/** The rows that `npm run bench:gpu` times itself; their names hold the sizes. */
export function gpuBenchmarks(sizes: Sizes): readonly Benchmark[] {
    return [copyRows, productRows, convolutionRows, trainingRows, modelsRows].flatMap((rows) => rows(sizes));
}

/** Names are fixed: results of different days are compared by them. */
export const GPU_BENCHMARKS: readonly Benchmark[] = gpuBenchmarks(FULL);
