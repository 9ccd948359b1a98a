import { isFloat } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { beside, requireTensor, resultDtype } from './convert.js';
import { full } from './create.js';
import { checkOperands } from './define_binary.js';
import { compareKernel, unaryKernel, type CompareName, type Operand } from './kernels.js';
import { installMethods } from './methods.js';

/** Compares, broadcast, in the promoted dtype; the result is bool and not recorded. */
function defineCompare(name: CompareName): (a: Operand, b: Operand) => Tensor {
    return (a, b) => {
        checkOperands(name, a, b);
        return compareKernel(name, beside(a, b), beside(b, a), resultDtype(a, b));
    };
}

/** a = b, broadcast, as bool; NaN equals nothing. Tensors of different dtypes are compared in the promoted one. */
export const eq = defineCompare('eq');
/** a != b, broadcast, as bool. */
export const ne = defineCompare('ne');
/** a < b, broadcast, as bool; false where either is NaN. */
export const lt = defineCompare('lt');
/** a <= b, broadcast, as bool; false where either is NaN. */
export const le = defineCompare('le');
/** a > b, broadcast, as bool; false where either is NaN. */
export const gt = defineCompare('gt');
/** a >= b, broadcast, as bool; false where either is NaN. */
export const ge = defineCompare('ge');

/** a and b, broadcast, as bool; whatever is not 0 (NaN too) counts as true. */
export const logicalAnd = defineCompare('logical_and');
/** a or b, broadcast, as bool; whatever is not 0 counts as true. */
export const logicalOr = defineCompare('logical_or');
/** Either a or b, broadcast, as bool; whatever is not 0 counts as true. */
export const logicalXor = defineCompare('logical_xor');

/** True where x is 0. */
export function logicalNot(x: Tensor): Tensor {
    requireTensor('logical_not', x);
    return compareKernel('eq', x, 0, x.dtype);
}

function constantMask(x: Tensor, value: boolean): Tensor {
    return full(x.shape, Number(value), { dtype: 'bool', device: x.device });
}

/** True where x is NaN; nowhere for integers. */
export function isNaN(x: Tensor): Tensor {
    requireTensor('is_nan', x);
    return isFloat(x.dtype) ? compareKernel('ne', x, x, x.dtype) : constantMask(x, false);
}

function compareMagnitude(x: Tensor, name: CompareName): Tensor {
    const magnitude = unaryKernel('abs', x);
    const result = compareKernel(name, magnitude, Infinity, x.dtype);
    magnitude.dispose();
    return result;
}

/** True where x is neither infinite nor NaN; everywhere for integers. */
export function isFinite(x: Tensor): Tensor {
    requireTensor('is_finite', x);
    return isFloat(x.dtype) ? compareMagnitude(x, 'lt') : constantMask(x, true);
}

/** True where x is Infinity or -Infinity; nowhere for integers. */
export function isInf(x: Tensor): Tensor {
    requireTensor('is_inf', x);
    return isFloat(x.dtype) ? compareMagnitude(x, 'eq') : constantMask(x, false);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        eq(other: Operand): Tensor;
        ne(other: Operand): Tensor;
        lt(other: Operand): Tensor;
        le(other: Operand): Tensor;
        gt(other: Operand): Tensor;
        ge(other: Operand): Tensor;
        logicalAnd(other: Operand): Tensor;
        logicalOr(other: Operand): Tensor;
        logicalXor(other: Operand): Tensor;
        logicalNot(): Tensor;
        isNaN(): Tensor;
        isFinite(): Tensor;
        isInf(): Tensor;
    }
}

installMethods({
    eq,
    ne,
    lt,
    le,
    gt,
    ge,
    logicalAnd,
    logicalOr,
    logicalXor,
    logicalNot,
    isNaN,
    isFinite,
    isInf,
});
