import type { OpSample } from './sample.js';
import { activationSamples } from './samples/activation.js';
import { arithmeticSamples } from './samples/arithmetic.js';
import { batchSamples } from './samples/batch.js';
import { compareSamples } from './samples/compare.js';
import { linearSamples } from './samples/linear.js';
import { matmulSamples } from './samples/matmul.js';
import { unarySamples } from './samples/unary.js';
import { choiceSamples } from './samples/where.js';

/** Every op has a row here, family by family. `npm run check` fails for an op of the table without one. */
export const opSamples: readonly OpSample[] = [
    ...arithmeticSamples,
    ...unarySamples,
    ...activationSamples,
    ...compareSamples,
    ...choiceSamples,
    ...batchSamples,
    ...linearSamples,
    ...matmulSamples,
];
