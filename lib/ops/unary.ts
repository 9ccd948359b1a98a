import { defineOp } from '../autograd/define_op.js';
import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { add, div, mul } from './arithmetic.js';
import { fullPrecision } from './autocast.js';
import { floatDtype, requireTensor } from './convert.js';
import { zerosLike } from './create.js';
import { unaryKernel } from './kernels.js';
import { installMethods } from './methods.js';

/** @internal 'float': integers give float32. 'number': not defined for bool. Otherwise the dtype of x stays. */
export type Domain = 'float' | 'number' | undefined;

interface UnaryRule {
    readonly domain?: Domain;
    /** What `autocast` takes in float32: it may leave the range of float16. */
    readonly isWide?: true;
    /** Whether backward gets x or y = f(x). */
    readonly saves: 'x' | 'y' | 'nothing';
    gradient(dy: Tensor, saved: Tensor): Tensor;
}

/** @internal The dtype of f(x); an error where f is not defined for that of x. */
export function unaryDtype(name: string, domain: Domain, x: Tensor): DType {
    if (domain === 'number' && x.dtype === 'bool')
        throw new TypeError(`[${name}] is not defined for bool; cast with x.to('int32')`);
    return domain === 'float' ? floatDtype(x.dtype) : x.dtype;
}

/** A recorded function of one tensor, elementwise. */
function defineUnary(name: string, rule: UnaryRule): (x: Tensor) => Tensor {
    const op = defineOp({
        name,
        // x [...] -> y [...]
        forward: (context, [x]) => {
            const y = unaryKernel(name, x, unaryDtype(name, rule.domain, x));
            if (rule.saves !== 'nothing') context.save(rule.saves === 'x' ? x : y);
            return y;
        },
        backward: (dy, { saved: [kept] }) => [rule.gradient(dy, kept ?? dy)],
        differentiable: true,
    });
    return (x) => {
        requireTensor(name, x);
        return op([rule.isWide ? fullPrecision(x) : x], {});
    };
}

const number = 'number';
const float = 'float';

/** |x|; the gradient at 0 is 0. Not for bool. */
export const abs = defineUnary('abs', {
    domain: number,
    saves: 'x',
    gradient: (dy, x) => mul(dy, sign(x)),
});

/** -x. Not for bool. */
export const neg = defineUnary('neg', { domain: number, saves: 'nothing', gradient: (dy) => neg(dy) });

/** -1, 0 or 1; the sign of NaN is 0, and so is the gradient. */
export const sign = defineUnary('sign', { saves: 'nothing', gradient: (dy) => zerosLike(dy) });

const squareOp = defineUnary('square', {
    isWide: true,
    saves: 'x',
    gradient: (dy, x) => mul(dy, mul(x, 2)),
});

/** x^2; bool gives int64. */
export function square(x: Tensor): Tensor {
    requireTensor('square', x);
    return squareOp(x.dtype === 'bool' ? x.to('int64') : x);
}

/** The largest integer not above x; the gradient is 0. Not for bool. */
export const floor = defineUnary('floor', {
    domain: number,
    saves: 'nothing',
    gradient: (dy) => zerosLike(dy),
});

/** The smallest integer not below x; the gradient is 0. Not for bool. */
export const ceil = defineUnary('ceil', {
    domain: number,
    saves: 'nothing',
    gradient: (dy) => zerosLike(dy),
});

/** The nearest integer, halves to the even one; the gradient is 0. Not for bool. */
export const round = defineUnary('round', {
    domain: number,
    saves: 'nothing',
    gradient: (dy) => zerosLike(dy),
});

/** x without its fraction; the gradient is 0. Not for bool. */
export const trunc = defineUnary('trunc', {
    domain: number,
    saves: 'nothing',
    gradient: (dy) => zerosLike(dy),
});

/** e^x; integers give float32. */
export const exp = defineUnary('exp', {
    domain: float,
    isWide: true,
    saves: 'y',
    gradient: (dy, y) => mul(dy, y),
});

/** e^x - 1, precise near 0; integers give float32. */
export const expm1 = defineUnary('expm1', {
    domain: float,
    isWide: true,
    saves: 'y',
    gradient: (dy, y) => mul(dy, add(y, 1)),
});

/** Natural logarithm: NaN below 0, -Infinity at 0; integers give float32. */
export const log = defineUnary('log', {
    domain: float,
    isWide: true,
    saves: 'x',
    gradient: (dy, x) => div(dy, x),
});

/** log(1 + x), precise near 0; integers give float32. */
export const log1p = defineUnary('log1p', {
    domain: float,
    isWide: true,
    saves: 'x',
    gradient: (dy, x) => div(dy, add(x, 1)),
});

/** Logarithm to base 2; integers give float32. */
export const log2 = defineUnary('log2', {
    domain: float,
    isWide: true,
    saves: 'x',
    gradient: (dy, x) => div(dy, mul(x, Math.LN2)),
});

/** Square root: NaN below 0; integers give float32. */
export const sqrt = defineUnary('sqrt', {
    domain: float,
    saves: 'y',
    gradient: (dy, y) => div(dy, mul(y, 2)),
});

/** 1 / sqrt(x); integers give float32. */
export const rsqrt = defineUnary('rsqrt', {
    domain: float,
    isWide: true,
    saves: 'y',
    gradient: (dy, y) => mul(mul(dy, -0.5), mul(square(y), y)),
});

/** 1 / x; integers give float32. */
export const reciprocal = defineUnary('reciprocal', {
    domain: float,
    isWide: true,
    saves: 'y',
    gradient: (dy, y) => mul(neg(dy), square(y)),
});

/** Sine of x radians; integers give float32. */
export const sin = defineUnary('sin', { domain: float, saves: 'x', gradient: (dy, x) => mul(dy, cos(x)) });

/** Cosine of x radians; integers give float32. */
export const cos = defineUnary('cos', {
    domain: float,
    saves: 'x',
    gradient: (dy, x) => mul(neg(dy), sin(x)),
});

/** Tangent of x radians; integers give float32. */
export const tan = defineUnary('tan', {
    domain: float,
    isWide: true,
    saves: 'y',
    gradient: (dy, y) => mul(dy, add(square(y), 1)),
});

/** Error function, 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x; integers give float32. */
export const erf = defineUnary('erf', {
    domain: float,
    saves: 'x',
    gradient: (dy, x) => mul(dy, mul(exp(neg(square(x))), 2 / Math.sqrt(Math.PI))),
});

declare module '../tensor/tensor.js' {
    interface Tensor {
        abs(): Tensor;
        neg(): Tensor;
        sign(): Tensor;
        square(): Tensor;
        floor(): Tensor;
        ceil(): Tensor;
        round(): Tensor;
        trunc(): Tensor;
        exp(): Tensor;
        expm1(): Tensor;
        log(): Tensor;
        log1p(): Tensor;
        log2(): Tensor;
        sqrt(): Tensor;
        rsqrt(): Tensor;
        reciprocal(): Tensor;
        sin(): Tensor;
        cos(): Tensor;
        tan(): Tensor;
        erf(): Tensor;
    }
}

installMethods({
    abs,
    neg,
    sign,
    square,
    floor,
    ceil,
    round,
    trunc,
    exp,
    expm1,
    log,
    log1p,
    log2,
    sqrt,
    rsqrt,
    reciprocal,
    sin,
    cos,
    tan,
    erf,
});
