import { isFloat, type DType } from '../tensor/dtype.js';
import { broadcastShapes, shapeText, type Shape } from '../tensor/shape.js';
import { describeValue } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import type { Tensor } from '../tensor/tensor.js';
import { autocast } from '../autograd/autocast.js';
import { lowPrecision } from './autocast.js';
import { gt, logicalNot, logicalOr } from './compare.js';
import { requireFloat, requireTensor } from './convert.js';
import { arange } from './create.js';
import { dropout } from './dropout.js';
import type { Generator } from './generator.js';
import { multiply } from './matmul.js';
import { unsqueeze } from './shape_ops.js';
import { softmax } from './softmax.js';
import { maskedFill, where } from './where.js';

export interface AttentionOptions {
    /**
     * Which keys each query sees, broadcast to [..., L, S]: bool, where true takes part, or float, which is added to the
     * scores (-Infinity leaves a key out).
     */
    readonly attnMask?: Tensor;
    /** Probability with which a weight is dropped; it takes effect whenever it is above 0. Default: 0. */
    readonly dropoutP?: number;
    /** A query sees the keys up to its own position alone. Default: false. */
    readonly isCausal?: boolean;
    /** Factor on the scores. Default: 1 / sqrt(E). */
    readonly scale?: number;
    /** Where the random numbers of dropout come from; default: the generator that `manualSeed` seeds. */
    readonly generator?: Generator;
}

/** @internal What is done to scores [..., L, S] before their softmax. */
export interface ScoreMask {
    /** Keys that are left out, bool. */
    readonly blocked: Tensor | null;
    /** Added to the scores. */
    readonly bias: Tensor | null;
    /** Whether a query may have lost all its keys; then all its weights are 0. */
    readonly mayBlockAll: boolean;
}

/** @internal */
export const noMask: ScoreMask = { blocked: null, bias: null, mayBlockAll: false };

/** @internal The mask [L, S] of what lies after each query. */
export function causalMask(queries: number, keys: number, { device }: Tensor): ScoreMask {
    const places = (n: number): Tensor => arange(0, n, 1, { dtype: 'int32', device });
    const blocked = gt(unsqueeze(places(keys), 0), unsqueeze(places(queries), 1));
    return { blocked, bias: null, mayBlockAll: false };
}

/** @internal A float mask: -Infinity leaves out, all else is added. */
export function floatMask(mask: Tensor): ScoreMask {
    const blocked = mask.eq(-Infinity);
    return { blocked, bias: where(blocked, 0, mask), mayBlockAll: true };
}

/** @internal Both masks at once. */
export function bothMasks(a: ScoreMask, b: ScoreMask): ScoreMask {
    const join = (
        x: Tensor | null,
        y: Tensor | null,
        both: (x: Tensor, y: Tensor) => Tensor,
    ): Tensor | null => (x && y ? both(x, y) : (x ?? y));
    return {
        blocked: join(a.blocked, b.blocked, logicalOr),
        bias: join(a.bias, b.bias, (x, y) => x.add(y)),
        mayBlockAll: a.mayBlockAll || b.mayBlockAll,
    };
}

/** Far below any score, yet finite: a row of it has a softmax and a gradient without NaN. */
function lowest(dtype: DType): number {
    return dtype === 'float16' ? -65504 : -1e30;
}

/** Softmax in the scores' own dtype under `autocast`, too: what follows is a product, which takes them short. */
function weightsOf(scores: Tensor): Tensor {
    return autocast(null, () => softmax(scores, -1));
}

// scores [..., L, S] -> weights [..., L, S]
function weigh(scores: Tensor, { blocked, bias, mayBlockAll }: ScoreMask): Tensor {
    const shifted = bias ? scores.add(bias.to(scores.dtype)) : scores;
    if (!blocked) return weightsOf(shifted);
    const weights = weightsOf(maskedFill(shifted, blocked, lowest(shifted.dtype)));
    return mayBlockAll ? where(blocked, 0, weights) : weights;
}

/** @internal Attention with its weights; shapes are checked by whoever calls. */
// q [..., L, E], k [..., S, E], v [..., S, V] -> output [..., L, V], weights [..., L, S]
export function attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: ScoreMask,
    drop: (weights: Tensor) => Tensor,
    scale = 1 / Math.sqrt(query.shape[query.rank - 1] ?? 1),
): { readonly output: Tensor; readonly weights: Tensor } {
    const scores = multiply(lowPrecision(query.mul(scale)), lowPrecision(key), false, true);
    const weights = drop(weigh(scores, mask));
    return { output: multiply(lowPrecision(weights), lowPrecision(value)), weights };
}

const shapesOf = (query: Tensor, key: Tensor, value: Tensor): string =>
    `query ${shapeText(query.shape)}, key ${shapeText(key.shape)}, value ${shapeText(value.shape)}`;

/** The shape [..., L, S] of the scores. */
function checkShapes(query: Tensor, key: Tensor, value: Tensor): Shape {
    const name = 'scaledDotProductAttention';
    for (const [what, x] of Object.entries({ query, key, value })) {
        requireTensor(name, x, `the ${what}`);
        requireFloat(name, x);
        if (x.rank < 2)
            throw new RangeError(
                `[${name}] the ${what} must be [..., length, size], got ${shapeText(x.shape)}`,
            );
        if (x.dtype !== query.dtype)
            throw new TypeError(
                `[${name}] dtypes differ: the query is ${query.dtype}, the ${what} ${x.dtype}`,
            );
    }
    const shapes = shapesOf(query, key, value);
    const last = (x: Tensor, n: number): number => x.shape[x.rank - n] ?? 0;
    if (last(query, 1) !== last(key, 1))
        throw new RangeError(`[${name}] query and key must have vectors of one size: ${shapes}`);
    if (last(key, 2) !== last(value, 2))
        throw new RangeError(`[${name}] there must be as many values as keys: ${shapes}`);
    const batch = [query, key, value]
        .map((x) => x.shape.slice(0, -2))
        .reduce<Shape>((a, b) => broadcastShapes(name, a, b), []);
    return [...batch, last(query, 2), last(key, 2)];
}

function maskFor(mask: unknown, scores: Shape): ScoreMask {
    const name = 'scaledDotProductAttention';
    requireTensor(name, mask, 'attnMask');
    const extra = scores.length - mask.rank;
    if (extra < 0 || mask.shape.some((size, i) => size !== 1 && size !== scores[i + extra]))
        throw new RangeError(
            `[${name}] attnMask ${shapeText(mask.shape)} does not broadcast to the scores ${shapeText(scores)}`,
        );
    if (mask.dtype === 'bool') return { blocked: logicalNot(mask), bias: null, mayBlockAll: true };
    if (isFloat(mask.dtype)) return floatMask(mask);
    throw new TypeError(`[${name}] attnMask must be bool or float, got ${mask.dtype}`);
}

/**
 * softmax(scale Q K^T + mask) V: for each query, the mean of the values, weighed by how well their keys fit.
 *
 * Shapes: query [..., L, E], key [..., S, E], value [..., S, V] -> [..., L, V]; leading dimensions broadcast. Float
 * dtypes, all of one. A query that sees no key at all gives zeros, as in PyTorch.
 *
 * Source: Vaswani et al., "Attention is all you need", NeurIPS 2017; names and masks are PyTorch's.
 *
 * @throws RangeError when shapes do not fit, or isCausal comes with attnMask; TypeError when dtypes differ.
 * @example
 * import { randn, scaledDotProductAttention } from 'nativegrad';
 * const [query, key, value] = [randn([2, 8, 5, 16]), randn([2, 8, 7, 16]), randn([2, 8, 7, 16])];
 * console.log(scaledDotProductAttention(query, key, value).shape); // [2, 8, 5, 16]
 */
export function scaledDotProductAttention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    options: AttentionOptions = {},
): Tensor {
    const name = 'scaledDotProductAttention';
    requireOptionNames(`[${name}]`, options, ['attnMask', 'dropoutP', 'isCausal', 'scale', 'generator']);
    const { attnMask, dropoutP = 0, isCausal = false, scale, generator } = options;
    const scores = checkShapes(query, key, value);
    if (isCausal && attnMask)
        throw new RangeError(
            `[${name}] isCausal is a mask of its own; put it into attnMask, or leave that out`,
        );
    if (!(dropoutP >= 0 && dropoutP <= 1))
        throw new RangeError(`[${name}] dropoutP must lie in [0, 1], got ${describeValue(dropoutP)}`);
    if (scale !== undefined && !Number.isFinite(scale))
        throw new RangeError(`[${name}] scale must be a finite number, got ${describeValue(scale)}`);
    const [queries = 0, keys = 0] = scores.slice(-2);
    const mask = isCausal ? causalMask(queries, keys, query) : attnMask ? maskFor(attnMask, scores) : noMask;
    const drop = (weights: Tensor): Tensor => dropout(weights, dropoutP, generator ? { generator } : {});
    return attend(query, key, value, mask, drop, scale).output;
}
