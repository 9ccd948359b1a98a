import type { Device } from '../tensor/device.js';
import type { DType } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import { fullPrecision } from './autocast.js';
import { eq, gt, lt } from './compare.js';
import { to } from './convert.js';
import { zerosLike } from './create.js';
import { defineBinary, type BinaryRule } from './define_binary.js';
import type { Operand } from './kernels.js';
import { installMethods } from './methods.js';
import { where } from './where.js';

function refuseBool(op: string, a: Operand, b: Operand): void {
    if ([a, b].some((x) => x instanceof Tensor && x.dtype === 'bool'))
        throw new TypeError(`[${op}] is not defined for bool; use logicalXor, or cast with x.to('int32')`);
}

/** Rules of the binary ops: forward dtype, what backward reads, gradients. Also the source of the in-place forms. */
export const binaryRules = {
    add: { saves: false, gradients: (dy) => [dy, dy] },
    sub: {
        saves: false,
        check: refuseBool,
        gradients: (dy, _a, _b, needs) => [dy, needs[1] ? mul(dy, -1) : null],
    },
    mul: {
        saves: true,
        gradients: (dy, a, b, needs) => [needs[0] ? mul(dy, b) : null, needs[1] ? mul(dy, a) : null],
    },
    div: {
        domain: 'float',
        saves: true,
        gradients: (dy, a, b, needs) => [
            needs[0] ? div(dy, b) : null,
            needs[1] ? mul(mul(dy, -1), div(div(a, b), b)) : null,
        ],
    },
    floor_divide: {
        domain: 'number',
        saves: false,
        gradients: (dy, _a, _b, needs) => [needs[0] ? zerosLike(dy) : null, needs[1] ? zerosLike(dy) : null],
    },
    remainder: {
        domain: 'number',
        saves: true,
        gradients: (dy, a, b, needs) => [dy, needs[1] ? mul(dy, mul(floorDivide(a, b), -1)) : null],
    },
    minimum: { saves: true, gradients: extremeGradients(gt) },
    maximum: { saves: true, gradients: extremeGradients(lt) },
} satisfies Record<string, BinaryRule>;

/** PyTorch's rule: the operand that lost gets nothing, at a tie each gets half, and NaN passes to both. */
function extremeGradients(loses: (a: Operand, b: Operand) => Tensor): BinaryRule['gradients'] {
    return (dy, a, b, needs) => {
        const shared = where(eq(a, b), mul(dy, 0.5), dy);
        return [
            needs[0] ? where(loses(a, b), 0, shared) : null,
            needs[1] ? where(loses(b, a), 0, shared) : null,
        ];
    };
}

/**
 * a + b, elementwise and broadcast (NumPy's rule). Operands are tensors or numbers; the dtype follows PyTorch's promotion.
 *
 * @throws RangeError when the shapes do not broadcast.
 * @example
 * import { add, tensor } from 'nativegrad';
 * console.log(add(tensor([1, 2]), 10).toArray()); // [11, 12]
 */
export const add = defineBinary('add', binaryRules.add);

/** a - b, broadcast. @throws TypeError for bool; use `logicalXor`. */
export const sub = defineBinary('sub', binaryRules.sub);

/** a * b, broadcast. */
export const mul = defineBinary('mul', binaryRules.mul);

const quotient = defineBinary('div', binaryRules.div);

/** a / b, broadcast; integers give float32. */
export function div(a: Operand, b: Operand): Tensor {
    // A number over a tensor is a reciprocal, which may leave the range of float16.
    return quotient(a, typeof a === 'number' ? fullPrecision(b) : b);
}

/**
 * floor(a / b), broadcast, in the promoted dtype; its gradient is 0.
 *
 * @throws Error for an integer division by zero (floats give Infinity or NaN), TypeError for bool.
 */
export const floorDivide = defineBinary('floor_divide', binaryRules.floor_divide);

/** a - b floor(a / b), broadcast: the remainder has the sign of b, as in Python. Errors as `floorDivide`. */
export const remainder = defineBinary('remainder', binaryRules.remainder);

/** The smaller of a and b, broadcast; NaN if either is. At a tie each side gets half of the gradient. */
export const minimum = defineBinary('minimum', binaryRules.minimum);

/** The larger of a and b, broadcast; NaN if either is. At a tie each side gets half of the gradient. */
export const maximum = defineBinary('maximum', binaryRules.maximum);

declare module '../tensor/tensor.js' {
    interface Tensor {
        add(other: Operand): Tensor;
        sub(other: Operand): Tensor;
        mul(other: Operand): Tensor;
        div(other: Operand): Tensor;
        floorDivide(other: Operand): Tensor;
        remainder(other: Operand): Tensor;
        minimum(other: Operand): Tensor;
        maximum(other: Operand): Tensor;
        /** In another dtype, or on another device (and in another dtype there). */
        to(dtype: DType): Tensor;
        to(device: Device, dtype?: DType): Tensor;
    }
}

installMethods({ add, sub, mul, div, floorDivide, remainder, minimum, maximum, to });
