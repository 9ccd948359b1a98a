import { defineOp } from '../autograd/define_op.js';
import { isFloat } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { add, mul, sub } from './arithmetic.js';
import { fullPrecision } from './autocast.js';
import { gt } from './compare.js';
import { floatDtype, requireFloat, requireTensor } from './convert.js';
import { binaryKernel, unaryKernel } from './kernels.js';
import { installMethods } from './methods.js';
import { exp, square } from './unary.js';
import { where } from './where.js';

/** Constants of a function: slope, alpha, beta, threshold. */
interface Constants {
    readonly p0: number;
    readonly p1: number;
}

interface ActivationRule {
    /** Native function of the forward pass; `<stem>_backward` (dy, kept) is that of the backward pass. */
    readonly stem: string;
    /** Whether the backward function reads x or y. */
    readonly keeps: 'x' | 'y';
    /** d (dy f') / d kept, without the factor dy, in recorded ops; null where it is 0 everywhere. */
    readonly second: (kept: Tensor, constants: Constants) => Tensor | null;
}

type BackwardOp = (inputs: readonly [Tensor, Tensor], constants: Constants) => Tensor;
type Activation = (x: Tensor, p0?: number, p1?: number) => Tensor;

/** y = f(x) with a native backward function that is itself an op, so that second derivatives exist. */
function defineActivation({ stem, keeps, second }: ActivationRule): Activation {
    const backwardOp: BackwardOp = defineOp<readonly [Tensor, Tensor], Constants>({
        name: `${stem}_backward`,
        // dy, kept [...] -> dx [...]
        forward: (context, [dy, kept], { p0, p1 }) => {
            context.save(dy, kept);
            return binaryKernel(`${stem}_backward`, dy, kept, dy.dtype, p0, p1);
        },
        backward: (ddx, { saved: [dy, kept], options, needs }) => {
            const curvature = needs[1] ? second(kept, options) : null;
            return [
                needs[0] ? backwardOp([ddx, kept], options) : null,
                curvature && mul(mul(ddx, dy), curvature),
            ];
        },
        differentiable: true,
    });
    const op = defineOp<readonly [Tensor], Constants>({
        name: stem,
        // x [...] -> y [...]
        forward: (context, [x], { p0, p1 }) => {
            const y = unaryKernel(stem, x, x.dtype, p0, p1);
            context.save(keeps === 'x' ? x : y);
            return y;
        },
        backward: (dy, { saved: [kept], options }) => [backwardOp([dy, kept], options)],
        differentiable: true,
    });
    return (x, p0 = 0, p1 = 0) => op([x], { p0, p1 });
}

const reluOp = defineActivation({ stem: 'relu', keeps: 'y', second: () => null });

/** max(x, 0); the gradient at 0 is 0, NaN stays NaN. Not for bool. */
export function relu(x: Tensor): Tensor {
    requireTensor('relu', x);
    if (x.dtype === 'bool') throw new TypeError("[relu] is not defined for bool; cast with x.to('int32')");
    return reluOp(x);
}

function requireNumber(op: string, what: string, value: number): void {
    if (typeof value !== 'number')
        throw new TypeError(`[${op}] ${what} must be a number, got ${typeof value}`);
}

function requireFloatTensor(op: string, x: Tensor): void {
    requireTensor(op, x);
    requireFloat(op, x);
}

const leakyReluOp = defineActivation({ stem: 'leaky_relu', keeps: 'x', second: () => null });

/** x where x > 0, else negativeSlope x. Float dtypes only. */
export function leakyRelu(x: Tensor, negativeSlope = 0.01): Tensor {
    requireFloatTensor('leaky_relu', x);
    requireNumber('leaky_relu', 'negativeSlope', negativeSlope);
    return leakyReluOp(x, negativeSlope);
}

const eluOp = defineActivation({
    stem: 'elu',
    keeps: 'x',
    second: (x, { p0 }) => where(gt(x, 0), 0, mul(exp(x), p0)),
});

/** x where x > 0, else alpha (e^x - 1) (Clevert et al., 2015). Float dtypes only. */
export function elu(x: Tensor, alpha = 1): Tensor {
    requireFloatTensor('elu', x);
    requireNumber('elu', 'alpha', alpha);
    return eluOp(x, alpha);
}

const geluOp = defineActivation({
    stem: 'gelu',
    keeps: 'x',
    // pdf(x) (2 - x^2)
    second: (x) => {
        const squared = square(x);
        const density = mul(exp(mul(squared, -0.5)), 1 / Math.sqrt(2 * Math.PI));
        return mul(density, sub(2, squared));
    },
});

const geluTanhOp = defineActivation({
    stem: 'gelu_tanh',
    keeps: 'x',
    second: (x) => {
        const scale = Math.sqrt(2 / Math.PI);
        const squared = square(x);
        const t = tanh(mul(mul(x, add(mul(squared, 0.044715), 1)), scale));
        const slope = mul(add(mul(squared, 3 * 0.044715), 1), scale);
        const steep = sub(1, square(t));
        const curvature = sub(mul(x, 6 * 0.044715 * scale), mul(mul(t, square(slope)), 2));
        return mul(steep, add(slope, mul(mul(x, 0.5), curvature)));
    },
});

/** How `gelu` computes the normal distribution: by the error function, or by PyTorch's approximation with tanh. */
export type GeluKind = 'none' | 'tanh';

/**
 * x P(X <= x) for a standard normal X (Hendrycks and Gimpel, 2016); 'tanh' gives 0.5 x (1 + tanh(sqrt(2 / pi) (x +
 * 0.044715 x^3))). Float dtypes only.
 */
export function gelu(x: Tensor, approximate: GeluKind = 'none'): Tensor {
    requireFloatTensor('gelu', x);
    if (approximate !== 'none' && approximate !== 'tanh')
        throw new TypeError(`[gelu] approximate must be 'none' or 'tanh', got ${String(approximate)}`);
    return approximate === 'tanh' ? geluTanhOp(x) : geluOp(x);
}

const siluOp = defineActivation({
    stem: 'silu',
    keeps: 'x',
    // s (1 - s) (2 + x (1 - 2 s))
    second: (x) => {
        const s = sigmoid(x);
        return mul(mul(s, sub(1, s)), add(mul(x, sub(1, mul(s, 2))), 2));
    },
});

/** x sigmoid(x), also known as swish. Float dtypes only. */
export function silu(x: Tensor): Tensor {
    requireFloatTensor('silu', x);
    return siluOp(x);
}

const softplusOp = defineActivation({
    stem: 'softplus',
    keeps: 'x',
    second: (x, { p0: beta, p1: threshold }) => {
        const s = sigmoid(mul(x, beta));
        return where(gt(mul(x, beta), threshold), 0, mul(mul(s, sub(1, s)), beta));
    },
});

/** log(1 + e^(beta x)) / beta, and x itself where beta x > threshold. Float dtypes only. */
export function softplus(x: Tensor, beta = 1, threshold = 20): Tensor {
    requireFloatTensor('softplus', x);
    requireNumber('softplus', 'beta', beta);
    requireNumber('softplus', 'threshold', threshold);
    return softplusOp(fullPrecision(x), beta, threshold);
}

const sigmoidOp = defineActivation({ stem: 'sigmoid', keeps: 'y', second: (y) => sub(1, mul(y, 2)) });
const tanhOp = defineActivation({ stem: 'tanh', keeps: 'y', second: (y) => mul(y, -2) });

function promoted(op: string, x: Tensor): Tensor {
    requireTensor(op, x);
    return isFloat(x.dtype) ? x : x.to(floatDtype(x.dtype));
}

/** 1 / (1 + e^-x); integers give float32. */
export function sigmoid(x: Tensor): Tensor {
    return sigmoidOp(promoted('sigmoid', x));
}

/** Hyperbolic tangent; integers give float32. */
export function tanh(x: Tensor): Tensor {
    return tanhOp(promoted('tanh', x));
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        relu(): Tensor;
        leakyRelu(negativeSlope?: number): Tensor;
        elu(alpha?: number): Tensor;
        gelu(approximate?: GeluKind): Tensor;
        silu(): Tensor;
        softplus(beta?: number, threshold?: number): Tensor;
        sigmoid(): Tensor;
        tanh(): Tensor;
    }
}

installMethods({ relu, leakyRelu, elu, gelu, silu, softplus, sigmoid, tanh });
