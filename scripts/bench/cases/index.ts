import type { Benchmark } from '../benchmark.js';
import { cnn } from './cnn.js';
import { mlp } from './mlp.js';

/** Every benchmark that `npm run bench` knows. */
export const BENCHMARKS: readonly Benchmark[] = [mlp, cnn];
