import type { Benchmark } from '../benchmark.js';
import { convolutions } from './convolutions.js';
import { copies } from './copies.js';
import { models } from './models.js';
import { products } from './products.js';
import { training } from './training.js';

/** Every row that `npm run bench:gpu` knows. Names are fixed: results of different days are compared by them. */
export const GPU_BENCHMARKS: readonly Benchmark[] = [
    ...copies,
    ...products,
    ...convolutions,
    ...training,
    ...models,
];
