import { defineOp } from '../autograd/define_op.js';
import type { Tensor } from '../tensor/tensor.js';
import { compareKernel, runNew } from './kernels.js';

const keepWhereOp = defineOp<readonly [Tensor, Tensor]>({
    name: 'keep_where',
    forward: (context, [x, mask]) => {
        context.save(mask);
        return runNew('where', [mask, x, 0], x.shape, x.dtype);
    },
    backward: (dy, { saved: [mask] }) => [keepWhere(dy, mask), null],
    differentiable: true,
});

/** x where the mask (broadcast to x) is true, 0 elsewhere; whatever x holds there, NaN included, is dropped. */
export function keepWhere(x: Tensor, mask: Tensor): Tensor {
    return keepWhereOp([x, mask], {});
}

/** Where x is not 0, as bool. Not recorded. */
export function isNonzero(x: Tensor): Tensor {
    return compareKernel('ne', x, 0);
}
