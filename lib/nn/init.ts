import { noGrad } from '../autograd/grad_mode.js';
import { fromTypedArray } from '../ops/create.js';
import { copy_, fill_ } from '../ops/in_place.js';
import { requireTensor } from '../tensor/require_tensor.js';
import { requireList, shapeText, sizeOf, type Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { draw, type InitOptions } from './draw.js';
import { orthonormalColumns } from './orthonormal.js';

/** Which side of a weight keeps its variance. */
export type FanMode = 'fanIn' | 'fanOut';

/** Activations with a gain of their own. */
export type Nonlinearity = 'linear' | 'sigmoid' | 'tanh' | 'relu' | 'leakyRelu' | 'selu';

export interface KaimingOptions extends InitOptions {
    /** Negative slope of the leaky ReLU that follows. Default: 0. */
    readonly a?: number;
    /** Default: fanIn. */
    readonly mode?: FanMode;
    /** Default: leakyRelu, which with a = 0 is relu. */
    readonly nonlinearity?: Nonlinearity;
}

export interface GainOptions extends InitOptions {
    /** A factor on the deviation. Default: 1. */
    readonly gain?: number;
}

/**
 * Number of inputs and outputs that one weight connects: a weight [out, in, k...] has in * k and out * k.
 *
 * @throws RangeError for a tensor of fewer than two dimensions.
 */
export function fans(shape: Shape): { fanIn: number; fanOut: number } {
    requireList('init', 'the shape', shape);
    if (shape.length < 2)
        throw new RangeError(`[init] fans need a weight of at least two dimensions, got ${shapeText(shape)}`);
    const window = sizeOf(shape.slice(2));
    return { fanIn: (shape[1] ?? 1) * window, fanOut: (shape[0] ?? 1) * window };
}

/** The factor by which an activation shrinks deviations, as torch.nn.init.calculate_gain; `slope` is leakyRelu's. */
export function gainOf(nonlinearity: Nonlinearity, slope = 0.01): number {
    switch (nonlinearity) {
        case 'linear':
        case 'sigmoid':
            return 1;
        case 'tanh':
            return 5 / 3;
        case 'relu':
            return Math.SQRT2;
        case 'leakyRelu':
            return Math.sqrt(2 / (1 + slope ** 2));
        case 'selu':
            return 3 / 4;
        default:
            throw new TypeError(`[init] unknown nonlinearity '${String(nonlinearity)}'`);
    }
}

/** Overwrites x with numbers uniform in [low, high). Returns x, as all of these do. */
export function uniform(x: Tensor, low = 0, high = 1, options: InitOptions = {}): Tensor {
    if (!(low <= high)) throw new RangeError(`[init.uniform] low ${low} is above high ${high}`);
    return draw('uniform', x, low, high, options);
}

/** Overwrites x with normal numbers. */
export function normal(x: Tensor, mean = 0, std = 1, options: InitOptions = {}): Tensor {
    if (!(std >= 0)) throw new RangeError(`[init.normal] std must be at least 0, got ${std}`);
    return draw('normal', x, mean, std, options);
}

/** Overwrites every element with one value. */
export function constant(x: Tensor, value: number): Tensor {
    return noGrad(() => fill_(x, value));
}

/** Overwrites x with zeros. */
export function zeros(x: Tensor): Tensor {
    return constant(x, 0);
}

/** Overwrites x with ones. */
export function ones(x: Tensor): Tensor {
    return constant(x, 1);
}

/** Numbers of a deviation: uniform in [-sqrt(3) std, sqrt(3) std), or normal. */
function withDeviation(kind: 'uniform' | 'normal', x: Tensor, std: number, options: InitOptions): Tensor {
    if (kind === 'normal') return draw(kind, x, 0, std, options);
    const bound = Math.sqrt(3) * std;
    return draw(kind, x, -bound, bound, options);
}

function kaimingDeviation(x: Tensor, options: KaimingOptions): number {
    requireTensor('init', x, 'the weight');
    const { fanIn, fanOut } = fans(x.shape);
    const mode = options.mode ?? 'fanIn';
    if (mode !== 'fanIn' && mode !== 'fanOut')
        throw new TypeError(`[init] mode must be fanIn or fanOut, got ${String(mode)}`);
    const gain = gainOf(options.nonlinearity ?? 'leakyRelu', options.a ?? 0);
    // A weight without inputs has no elements, or none that matter.
    return gain / Math.sqrt(Math.max(1, mode === 'fanIn' ? fanIn : fanOut));
}

/**
 * Uniform in [-b, b), b = gain sqrt(3 / fan): keeps the variance through ReLUs (He et al. 2015).
 *
 * @example
 * import { nn } from 'nativegrad';
 * const layer = new nn.Linear(784, 256);
 * nn.init.kaimingUniform(layer.weight, { nonlinearity: 'relu' });
 */
export function kaimingUniform(x: Tensor, options: KaimingOptions = {}): Tensor {
    return withDeviation('uniform', x, kaimingDeviation(x, options), options);
}

/** Normal with deviation gain / sqrt(fan) (He et al. 2015). */
export function kaimingNormal(x: Tensor, options: KaimingOptions = {}): Tensor {
    return withDeviation('normal', x, kaimingDeviation(x, options), options);
}

function xavierDeviation(x: Tensor, options: GainOptions): number {
    requireTensor('init', x, 'the weight');
    const { fanIn, fanOut } = fans(x.shape);
    return (options.gain ?? 1) * Math.sqrt(2 / Math.max(1, fanIn + fanOut));
}

/** Uniform in [-b, b), b = gain sqrt(6 / (fanIn + fanOut)) (Glorot and Bengio 2010). */
export function xavierUniform(x: Tensor, options: GainOptions = {}): Tensor {
    return withDeviation('uniform', x, xavierDeviation(x, options), options);
}

/** Normal with deviation gain sqrt(2 / (fanIn + fanOut)) (Glorot and Bengio 2010). */
export function xavierNormal(x: Tensor, options: GainOptions = {}): Tensor {
    return withDeviation('normal', x, xavierDeviation(x, options), options);
}

/** Uniform with deviation 1 / sqrt(fanIn) (LeCun et al. 1998). */
export function lecunUniform(x: Tensor, options: InitOptions = {}): Tensor {
    return withDeviation('uniform', x, kaimingDeviation(x, { nonlinearity: 'linear' }), options);
}

/** Normal with deviation 1 / sqrt(fanIn) (LeCun et al. 1998). */
export function lecunNormal(x: Tensor, options: InitOptions = {}): Tensor {
    return withDeviation('normal', x, kaimingDeviation(x, { nonlinearity: 'linear' }), options);
}

export { kaimingNormal as heNormal, kaimingUniform as heUniform };
export { xavierNormal as glorotNormal, xavierUniform as glorotUniform };

/**
 * A random matrix with orthonormal rows or columns, whichever are fewer, times `gain`; dimensions after the first count as
 * one (Saxe et al. 2014). Every such matrix is equally likely.
 *
 * @throws RangeError for a tensor of fewer than two dimensions.
 */
export function orthogonal(x: Tensor, options: GainOptions = {}): Tensor {
    requireTensor('init.orthogonal', x, 'the weight');
    if (x.rank < 2)
        throw new RangeError(`[init.orthogonal] needs at least two dimensions, got ${shapeText(x.shape)}`);
    const rows = x.shape[0] ?? 0;
    const columns = sizeOf(x.shape.slice(1));
    draw('normal', x, 0, 1, options);
    const values = Float64Array.from(x.dataSync(), Number);
    const wide = rows < columns;
    const tall = wide ? transposed(values, rows, columns) : values;
    const [n, k] = wide ? [columns, rows] : [rows, columns];
    orthonormalColumns(tall, n, k);
    const result = wide ? transposed(tall, n, k) : tall;
    const gain = options.gain ?? 1;
    const source = fromTypedArray(
        result.map((value) => value * gain),
        x.shape,
    );
    noGrad(() => copy_(x, source));
    source.dispose();
    return x;
}

function transposed(values: Float64Array, rows: number, columns: number): Float64Array {
    const result = new Float64Array(values.length);
    for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) result[j * rows + i] = values[i * columns + j] ?? 0;
    }
    return result;
}

/** @internal What Linear and the convolutions start from, as in PyTorch: uniform within 1 / sqrt(fan in). */
export function defaultInit(weight: Tensor, bias: Tensor | null, options: InitOptions = {}): void {
    kaimingUniform(weight, { ...options, a: Math.sqrt(5) });
    const bound = 1 / Math.sqrt(Math.max(1, fans(weight.shape).fanIn));
    if (bias) uniform(bias, -bound, bound, options);
}
