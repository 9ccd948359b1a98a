import { defineOp } from '../autograd/define_op.js';
import { promote } from '../tensor/dtype.js';
import { broadcastShapes, shapeText } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { requireTensor } from './convert.js';
import { runNew } from './kernels.js';
import { installMethods } from './methods.js';
import { reshape, squeeze, transpose, unsqueeze } from './shape_ops.js';

function checkInner(a: Tensor, b: Tensor): void {
    const inner = b.rank === 1 ? b.shape[0] : b.shape[b.rank - 2];
    if (a.rank === 0 || b.rank === 0) {
        throw new RangeError(
            `[matmul] needs at least one dimension, got ${shapeText(a.shape)} and ${shapeText(b.shape)}`,
        );
    }
    if (a.shape[a.rank - 1] !== inner) {
        throw new RangeError(
            `[matmul] inner dimensions differ: a ${shapeText(a.shape)}, b ${shapeText(b.shape)}`,
        );
    }
    if (promote(a.dtype, b.dtype) !== a.dtype || a.dtype !== b.dtype) {
        throw new TypeError(
            `[matmul] dtypes differ: ${a.dtype} and ${b.dtype}; cast one with x.to('${a.dtype}')`,
        );
    }
    if (a.dtype === 'bool') throw new TypeError("[matmul] is not defined for bool; cast with x.to('int32')");
}

// a [..., M, K], b [..., K, N] -> [..., M, N]
const matmulOp = defineOp<readonly [Tensor, Tensor]>({
    name: 'matmul',
    forward: (context, [a, b]) => {
        context.save(a, b);
        const batch = broadcastShapes('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
        return runNew(
            'matmul',
            [a, b],
            [...batch, a.shape[a.rank - 2] ?? 1, b.shape[b.rank - 1] ?? 1],
            a.dtype,
        );
    },
    backward: (dy, { saved, needs }) => {
        const [a, b] = saved as [Tensor, Tensor];
        return [needs[0] ? matmul(dy, transpose(b)) : null, needs[1] ? matmul(transpose(a), dy) : null];
    },
    differentiable: true,
});

/**
 * Matrix product over the last two dimensions; leading dimensions broadcast. A vector on the left counts as a row, on the
 * right as a column, and that dimension disappears from the result (NumPy's matmul).
 *
 * @throws RangeError when the inner dimensions differ or the leading ones do not broadcast; TypeError when dtypes differ.
 * @example
 * import { ones } from 'nativegrad';
 * console.log(ones([64, 784]).matmul(ones([784, 10])).shape); // [64, 10]
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
    requireTensor('matmul', a, 'the first operand');
    requireTensor('matmul', b, 'the second operand');
    checkInner(a, b);
    if (a.rank === 1 && b.rank === 1) return reshape(matmulOp([unsqueeze(a, 0), unsqueeze(b, 1)], {}), []);
    if (a.rank === 1) return squeeze(matmulOp([unsqueeze(a, 0), b], {}), -2);
    if (b.rank === 1) return squeeze(matmulOp([a, unsqueeze(b, 1)], {}), -1);
    return matmulOp([a, b], {});
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        matmul(other: Tensor): Tensor;
    }
}

installMethods({ matmul });
