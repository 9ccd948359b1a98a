import type { Tensor } from '../../lib/index.js';
import { every } from './reduction_rows.js';
import type { NdArray, OpSample } from './sample.js';

/** A row of an op that only moves elements: exact in every dtype, second derivatives included. */
export function moving(
    op: string,
    shape: readonly number[],
    run: (x: Tensor) => Tensor | readonly Tensor[],
    reference: (x: NdArray) => NdArray,
    more: Partial<OpSample> = {},
): OpSample {
    return { op, inputs: [{ shape }], run, reference, dtypes: every, secondOrder: true, ...more };
}
