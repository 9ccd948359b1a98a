import { defineOp } from '../autograd/define_op.js';
import { normalizeAxis, type Shape } from '../tensor/shape.js';
import { viewOf, type Tensor } from '../tensor/tensor.js';
import { requireTensor } from './convert.js';
import { zeros } from './create.js';
import { stack } from './join.js';
import { installMethods } from './methods.js';

function without(list: readonly number[], axis: number): number[] {
    return list.filter((_, i) => i !== axis);
}

function isTensor(x: Tensor | null): x is Tensor {
    return x !== null;
}

/** One gradient for each view: those that nobody used are zeros. */
function whole(gradients: readonly (Tensor | null)[], shape: Shape): Tensor[] {
    const like = gradients.find(isTensor);
    return gradients.map((dy) => dy ?? zeros(shape, { dtype: like?.dtype, device: like?.device }));
}

// x [.., D, ..] -> D times [..]
const unbindOp = defineOp<readonly [Tensor], { axis: number }, readonly Tensor[]>({
    name: 'unbind',
    forward: (_, [x], { axis }) => {
        const [shape, strides] = [without(x.shape, axis), without(x.strides, axis)];
        const step = x.strides[axis] ?? 1;
        return Array.from({ length: x.shape[axis] ?? 0 }, (_, i) => viewOf(x, shape, strides, i * step));
    },
    backward: (gradients, { options: { axis }, shapes: [shape = []] }) => [
        stack(whole(gradients, without(shape, axis)), axis),
    ],
    differentiable: true,
});

/**
 * Cuts x into its D slices along an axis, which disappears: views. Their gradients come back in one piece, so that a loop
 * over time steps costs no more than its steps (PyTorch's `unbind`).
 *
 * Shapes: [.., D, ..] -> D times [..].
 *
 * @throws RangeError for a 0-d tensor, or an axis outside of x.
 * @example
 * import { tensor, unbind } from 'nativegrad';
 * const [first, second] = unbind(tensor([[1, 2], [3, 4]]));
 * console.log(first.toArray(), second.toArray()); // [1, 2] [3, 4]
 */
export function unbind(x: Tensor, axis = 0): readonly Tensor[] {
    requireTensor('unbind', x);
    if (x.rank === 0) throw new RangeError('[unbind] a 0-d tensor has no dimension to cut along');
    return unbindOp([x], { axis: normalizeAxis('unbind', axis, x.rank) });
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        unbind(axis?: number): readonly Tensor[];
    }
}

installMethods({ unbind });
