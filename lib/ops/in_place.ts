import { isGradEnabled } from '../autograd/grad_mode.js';
import { binaryCode, run, unaryCode } from '../native/call.js';
import { category, requireRange, type DType } from '../tensor/dtype.js';
import { broadcastShapes, overlaps, sameShape, shapeText } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { binaryRules } from './arithmetic.js';
import { beside, move, requireTensor } from './convert.js';
import { binaryDtype, type BinaryRule } from './define_binary.js';
import { copyKernel, type Operand } from './kernels.js';
import { installMethods } from './methods.js';
import { powRule } from './pow.js';
import { unaryDtype, type Domain } from './unary.js';
import { checkMaskedFill, clampBounds, clampConstants, clampDtype } from './where.js';

/** @internal Refuses targets that must not be written: recorded ones, and views in which elements overlap. */
export function beginWrite(op: string, x: Tensor, source?: Operand): void {
    requireTensor(op, x);
    if (isGradEnabled() && x.needsGrad) {
        throw new Error(
            `[${op}] would change, in place, a tensor of shape ${shapeText(x.shape)} that requires a gradient; ` +
                'wrap it in noGrad(), or use the op without the underscore',
        );
    }
    if (isGradEnabled() && source instanceof Tensor && source.needsGrad) {
        throw new Error(
            `[${op}] the source requires a gradient, which an in-place op does not record; detach() it`,
        );
    }
    if (!x.isContiguous && overlaps(x.shape, x.strides)) {
        throw new Error(
            `[${op}] several elements of the tensor share memory, as expand() and unfold() make them: shape ` +
                `${shapeText(x.shape)}, strides ${shapeText(x.strides)}; clone() it first`,
        );
    }
    x.version.value++;
}

/** The source, or a copy where it shares storage with the target in another layout. */
function withoutOverlap<T>(x: Tensor, source: Operand, body: (source: Operand) => T): T {
    if (typeof source === 'number' || source === x || source.version !== x.version) return body(source);
    const copy = copyKernel(source);
    try {
        return body(copy);
    } finally {
        copy.dispose();
    }
}

function requireFit(op: string, x: Tensor, source: Operand): void {
    if (typeof source === 'number') return;
    requireTensor(op, source, 'the source');
    if (!sameShape(broadcastShapes(op, x.shape, source.shape), x.shape)) {
        throw new RangeError(
            `[${op}] shape ${shapeText(source.shape)} does not broadcast to ${shapeText(x.shape)}`,
        );
    }
}

function requireCategory(op: string, dtype: DType, x: Tensor): void {
    if (category(dtype) > category(x.dtype)) {
        throw new TypeError(
            `[${op}] a result of ${dtype} does not fit into a tensor of ${x.dtype}; cast it first`,
        );
    }
}

function binaryInPlace(name: string, rule: BinaryRule): (x: Tensor, other: Operand) => Tensor {
    const op = `${name}_`;
    return (x, other) => {
        requireTensor(op, x);
        requireFit(op, x, other);
        requireCategory(op, binaryDtype(op, rule, x, other), x);
        beginWrite(op, x, other);
        withoutOverlap(x, beside(other, x), (source) => {
            run('binary', [x, source], [x], [binaryCode(name), 0, 0], op);
        });
        return x;
    };
}

/** x += other, broadcast to x; the result is cast to the dtype of x, which must be of the same category. */
export const add_ = binaryInPlace('add', binaryRules.add);
/** x -= other */
export const sub_ = binaryInPlace('sub', binaryRules.sub);
/** x *= other */
export const mul_ = binaryInPlace('mul', binaryRules.mul);
/** x /= other; float dtypes only */
export const div_ = binaryInPlace('div', binaryRules.div);
/** x = floor(x / other) */
export const floorDivide_ = binaryInPlace('floor_divide', binaryRules.floor_divide);
/** x = the remainder of x / other, with the sign of other */
export const remainder_ = binaryInPlace('remainder', binaryRules.remainder);
/** x = x^other */
export const pow_ = binaryInPlace('pow', powRule);

function unaryInPlace(name: string, domain?: Domain): (x: Tensor) => Tensor {
    const op = `${name}_`;
    return (x) => {
        requireTensor(op, x);
        requireCategory(op, unaryDtype(op, domain, x), x);
        beginWrite(op, x);
        run('unary', [x], [x], [unaryCode(name), 0, 0], op);
        return x;
    };
}

/** x = |x| */
export const abs_ = unaryInPlace('abs', 'number');
/** x = -x */
export const neg_ = unaryInPlace('neg', 'number');
/** x = x^2 */
export const square_ = unaryInPlace('square', 'number');
/** x = the largest integer not above x */
export const floor_ = unaryInPlace('floor', 'number');
/** x = the smallest integer not below x */
export const ceil_ = unaryInPlace('ceil', 'number');
/** x = the nearest integer, halves to the even one */
export const round_ = unaryInPlace('round', 'number');
/** x = max(x, 0) */
export const relu_ = unaryInPlace('relu', 'number');
/** x = e^x; float dtypes only, like the following ones */
export const exp_ = unaryInPlace('exp', 'float');
/** x = log(x) */
export const log_ = unaryInPlace('log', 'float');
/** x = sqrt(x) */
export const sqrt_ = unaryInPlace('sqrt', 'float');
/** x = 1 / sqrt(x) */
export const rsqrt_ = unaryInPlace('rsqrt', 'float');
/** x = 1 / x */
export const reciprocal_ = unaryInPlace('reciprocal', 'float');
/** x = 1 / (1 + e^-x) */
export const sigmoid_ = unaryInPlace('sigmoid', 'float');
/** x = tanh(x) */
export const tanh_ = unaryInPlace('tanh', 'float');

/** x = min(max(x, min), max); bounds as in `clamp`. */
export function clamp_(x: Tensor, min?: number | null, max?: number | null): Tensor {
    requireTensor('clamp_', x);
    const bounds = clampBounds('clamp_', min, max);
    const [low, high] = clampConstants(bounds);
    requireCategory('clamp_', clampDtype(x, bounds), x);
    if (Number.isNaN(low) || Number.isNaN(high)) return fill_(x, NaN);
    beginWrite('clamp_', x);
    run('unary', [x], [x], [unaryCode('clamp'), low, high], 'clamp_');
    return x;
}

/** Writes `value`, a number or a 0-d tensor, wherever the mask (bool, broadcast to x) holds. */
export function maskedFill_(x: Tensor, mask: Tensor, value: Operand): Tensor {
    checkMaskedFill('masked_fill_', x, mask, value);
    requireFit('masked_fill_', x, mask);
    beginWrite('masked_fill_', x, value);
    withoutOverlap(x, mask, (ownMask) => {
        withoutOverlap(x, beside(value, x), (source) => {
            run('where', [ownMask, source, x], [x], [], 'masked_fill_');
        });
    });
    return x;
}

/** Overwrites x with the elements of another tensor, broadcast and cast; it may lie on another device. */
export function copy_(x: Tensor, source: Tensor): Tensor {
    requireFit('copy_', x, source);
    beginWrite('copy_', x, source);
    const near = source.deviceCode === x.deviceCode ? source : move(source, x.device);
    withoutOverlap(x, near, (from) => run('copy', [from], [x], [], 'copy_'));
    if (near !== source) near.dispose();
    return x;
}

/** Overwrites every element with one value. */
export function fill_(x: Tensor, value: number): Tensor {
    requireTensor('fill_', x);
    requireRange('fill_', value, x.dtype);
    beginWrite('fill_', x);
    run('fill', [], [x], [value]);
    return x;
}

export function zero_(x: Tensor): Tensor {
    return fill_(x, 0);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        add_(other: Operand): Tensor;
        sub_(other: Operand): Tensor;
        mul_(other: Operand): Tensor;
        div_(other: Operand): Tensor;
        floorDivide_(other: Operand): Tensor;
        remainder_(other: Operand): Tensor;
        pow_(exponent: Operand): Tensor;
        abs_(): Tensor;
        neg_(): Tensor;
        square_(): Tensor;
        floor_(): Tensor;
        ceil_(): Tensor;
        round_(): Tensor;
        relu_(): Tensor;
        exp_(): Tensor;
        log_(): Tensor;
        sqrt_(): Tensor;
        rsqrt_(): Tensor;
        reciprocal_(): Tensor;
        sigmoid_(): Tensor;
        tanh_(): Tensor;
        clamp_(min?: number | null, max?: number | null): Tensor;
        maskedFill_(mask: Tensor, value: Operand): Tensor;
        copy_(source: Tensor): Tensor;
        fill_(value: number): Tensor;
        zero_(): Tensor;
    }
}

installMethods({
    add_,
    sub_,
    mul_,
    div_,
    floorDivide_,
    remainder_,
    pow_,
    abs_,
    neg_,
    square_,
    floor_,
    ceil_,
    round_,
    relu_,
    exp_,
    log_,
    sqrt_,
    rsqrt_,
    reciprocal_,
    sigmoid_,
    tanh_,
    clamp_,
    maskedFill_,
    copy_,
    fill_,
    zero_,
});
