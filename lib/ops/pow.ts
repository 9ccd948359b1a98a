import { isFloat, type DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { mul, sub } from './arithmetic.js';
import { fullPrecision } from './autocast.js';
import { eq, ge, logicalAnd } from './compare.js';
import { cast } from './convert.js';
import { zerosLike } from './create.js';
import { defineBinary, type BinaryRule } from './define_binary.js';
import { unaryKernel, type Operand } from './kernels.js';
import { installMethods } from './methods.js';
import { log } from './unary.js';
import { where } from './where.js';

function refuseNegativePower(op: string, _base: Operand, exponent: Operand, dtype: DType): void {
    if (typeof exponent === 'number' && exponent < 0 && !isFloat(dtype)) {
        throw new RangeError(
            `[${op}] integers cannot be raised to ${exponent}; cast the base with x.to('float32')`,
        );
    }
}

const shortcuts = new Map([
    [2, 'square'],
    [0.5, 'sqrt'],
    [-0.5, 'rsqrt'],
    [-1, 'reciprocal'],
]);

/** The same exponents that PyTorch computes without a power function. */
function shortcut(base: Operand, exponent: Operand, dtype: DType): Tensor | null {
    const name = typeof exponent === 'number' ? shortcuts.get(exponent) : undefined;
    return name === undefined || typeof base === 'number' ? null : unaryKernel(name, base, dtype);
}

// d a^b / da = b a^(b - 1), 0 where b = 0
function baseGradient(dy: Tensor, a: Operand, b: Operand): Tensor {
    if (b === 0) return zerosLike(dy);
    const gradient = mul(dy, mul(pow(a, typeof b === 'number' ? b - 1 : sub(b, 1)), b));
    return typeof b === 'number' ? gradient : where(eq(b, 0), 0, gradient);
}

// d a^b / db = a^b log(a), 0 where a = 0 and b >= 0
function exponentGradient(dy: Tensor, a: Operand, b: Operand): Tensor {
    const logarithm = typeof a === 'number' ? Math.log(a) : log(isFloat(a.dtype) ? a : cast(a, dy.dtype));
    const gradient = mul(dy, mul(pow(a, b), logarithm));
    if (typeof a === 'number') return a === 0 ? where(ge(b, 0), 0, gradient) : gradient;
    return where(logicalAnd(eq(a, 0), ge(b, 0)), 0, gradient);
}

/** @internal */
export const powRule: BinaryRule = {
    domain: 'number',
    saves: true,
    check: refuseNegativePower,
    shortcut,
    gradients: (dy, a, b, needs) => [
        needs[0] ? baseGradient(dy, a, b) : null,
        needs[1] ? exponentGradient(dy, a, b) : null,
    ],
};

const powOp = defineBinary('pow', powRule);

/**
 * a^b, broadcast; either side may be a number. The gradient of the base is 0 where b = 0, that of the exponent 0 where
 * a = 0 and b >= 0.
 *
 * @throws RangeError for an integer tensor to a negative integer; TypeError for bool.
 * @example
 * import { pow, tensor } from 'nativegrad';
 * console.log(pow(2, tensor([1, 2, 3])).toArray()); // [2, 4, 8]
 */
export function pow(a: Operand, b: Operand): Tensor {
    return powOp(fullPrecision(a), fullPrecision(b));
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        pow(exponent: Operand): Tensor;
    }
}

installMethods({ pow });
