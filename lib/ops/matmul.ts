import { lowPrecision } from './autocast.js';
import { defineOp } from '../autograd/define_op.js';
import { promote } from '../tensor/dtype.js';
import { broadcastShapes, shapeText, type Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { requireTensor } from './convert.js';
import { runNew } from './kernels.js';
import { installMethods } from './methods.js';
import { reshape, squeeze, unsqueeze } from './shape_ops.js';

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

interface Transposes {
    readonly transposeA: boolean;
    readonly transposeB: boolean;
}

/** Sizes [rows, columns] of the last two dimensions, swapped if asked. */
function matrixShape(x: Tensor, transposed: boolean): [number, number] {
    const [rows, columns] = [x.shape[x.rank - 2] ?? 1, x.shape[x.rank - 1] ?? 1];
    return transposed ? [columns, rows] : [rows, columns];
}

function batchShape(a: Tensor, b: Tensor): Shape {
    if (a.rank === 2 && b.rank === 2) return [];
    return broadcastShapes('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
}

// a [..., M, K], b [..., K, N], either one transposed -> [..., M, N]
const matmulOp = defineOp<readonly [Tensor, Tensor], Transposes>({
    name: 'matmul',
    forward: (context, [a, b], { transposeA, transposeB }) => {
        context.save(a, b);
        const shape = [...batchShape(a, b), matrixShape(a, transposeA)[0], matrixShape(b, transposeB)[1]];
        return runNew('matmul', [a, b], shape, a.dtype, [Number(transposeA), Number(transposeB)]);
    },
    backward: (dy, { saved, needs, options: { transposeA: ta, transposeB: tb } }) => {
        const [a, b] = saved as [Tensor, Tensor];
        const [wantsA, wantsB] = needs;
        return [
            wantsA ? (ta ? multiply(b, dy, tb, true) : multiply(dy, b, false, !tb)) : null,
            wantsB ? (tb ? multiply(dy, a, true, ta) : multiply(a, dy, !ta, false)) : null,
        ];
    },
    differentiable: true,
});

/** @internal The recorded product of matrices, either one taken transposed without a copy. Shapes are not checked. */
export function multiply(a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor {
    return matmulOp([a, b], { transposeA, transposeB });
}

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
    return product(lowPrecision(a), lowPrecision(b));
}

function product(a: Tensor, b: Tensor): Tensor {
    checkInner(a, b);
    if (a.rank === 1 && b.rank === 1) return reshape(multiply(unsqueeze(a, 0), unsqueeze(b, 1)), []);
    if (a.rank === 1) return squeeze(multiply(unsqueeze(a, 0), b), -2);
    if (b.rank === 1) return squeeze(multiply(a, unsqueeze(b, 1)), -1);
    return multiply(a, b);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        matmul(other: Tensor): Tensor;
    }
}

installMethods({ matmul });
