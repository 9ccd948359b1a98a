import type { OpSample } from './sample.js';
import { batchSamples } from './samples/batch.js';
import { linearSamples } from './samples/linear.js';
import { matmulSamples } from './samples/matmul.js';

/** Every op has a row here, family by family. `npm run check` fails for an op of the table without one. */
export const opSamples: readonly OpSample[] = [...batchSamples, ...linearSamples, ...matmulSamples];
