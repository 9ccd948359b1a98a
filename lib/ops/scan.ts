import { defineOp } from '../autograd/define_op.js';
import { normalizeAxis } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { fullPrecision } from './autocast.js';
import { requireTensor } from './convert.js';
import { runNew } from './kernels.js';
import { installMethods } from './methods.js';
import { sumDtype } from './reduce.js';
import { reshape } from './shape_ops.js';

interface ScanOptions {
    readonly axis: number;
    /** Sums run from the end. */
    readonly reverse: boolean;
}

const cumsumOp = defineOp<readonly [Tensor], ScanOptions>({
    name: 'cumsum',
    forward: (_, [x], { axis, reverse }) =>
        runNew('cumsum', [x], x.shape, sumDtype(x.dtype), [axis, Number(reverse)]),
    backward: (dy, { options: { axis, reverse } }) => [scan(dy, { axis, reverse: !reverse })],
    differentiable: true,
});

function scan(x: Tensor, options: ScanOptions): Tensor {
    return cumsumOp([x], options);
}

/**
 * Sums of the elements up to each one along an axis. Integers and bools give int64.
 *
 * @example
 * import { tensor } from 'nativegrad';
 * console.log(tensor([1, 2, 3]).cumsum(0).toArray()); // [1, 3, 6]
 */
export function cumsum(x: Tensor, axis: number): Tensor {
    requireTensor('cumsum', x);
    const at = normalizeAxis('cumsum', axis, x.rank);
    if (x.rank === 0) return reshape(cumsum(reshape(x, [1]), 0), []);
    return scan(fullPrecision(x), { axis: at, reverse: false });
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        cumsum(axis: number): Tensor;
    }
}

installMethods({ cumsum });
