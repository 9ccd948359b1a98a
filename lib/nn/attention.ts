import { attend, bothMasks, causalMask, floatMask, noMask, type ScoreMask } from '../ops/attention.js';
import { dropout } from '../ops/dropout.js';
import { defaultGenerator, type Generator } from '../ops/generator.js';
import { linear } from '../ops/linear.js';
import { reshape, slice, transpose } from '../ops/shape_ops.js';
import { zeros as zerosOf } from '../ops/create.js';
import { mean } from '../ops/reduce.js';
import { unbind } from '../ops/unbind.js';
import { isFloat, type DType } from '../tensor/dtype.js';
import { requireTensor } from '../tensor/require_tensor.js';
import { shapeText } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { checkAttention, maskProblem, type AttentionSizes } from './attention_checks.js';
import type { InitOptions } from './draw.js';
import { xavierUniform, zeros } from './init.js';
import { Linear } from './linear.js';
import { Module, type ModuleOfSeveral } from './module.js';
import { requireOptions, requireSizes } from './options.js';
import { Parameter } from './parameter.js';

export interface MultiheadAttentionOptions extends InitOptions {
    /** Probability with which an attention weight is dropped in training. Default: 0. */
    readonly dropout?: number;
    /** Default: true. */
    readonly bias?: boolean;
    /** Size of the keys' vectors. Default: embedDim. */
    readonly kdim?: number;
    /** Size of the values' vectors. Default: embedDim. */
    readonly vdim?: number;
    /** Inputs and outputs are [batch, length, size], not [length, batch, size]. Default: false, as in PyTorch. */
    readonly batchFirst?: boolean;
    /** Default: float32. */
    readonly dtype?: DType;
}

export interface AttendOptions {
    /** Keys to leave out, [N, S], or [S] without a batch: bool, where true is left out, or float, added to the scores. */
    readonly keyPaddingMask?: Tensor;
    /** Give the attention weights as well. Default: true. */
    readonly needWeights?: boolean;
    /**
     * [L, S], or [N numHeads, L, S]: bool, where true is left out (the other way round than in
     * `scaledDotProductAttention`, as in PyTorch), or float, added to the scores.
     */
    readonly attnMask?: Tensor;
    /** Weights as their mean over the heads, [N, L, S]; else [N, numHeads, L, S]. Default: true. */
    readonly averageAttnWeights?: boolean;
    /** Each query sees the keys up to its own position alone; no mask need be given. Default: false. */
    readonly isCausal?: boolean;
}

/**
 * Attention of several heads: MultiHead(Q, K, V) = concat(head_1, ..., head_h) W_O, where
 * head_i = softmax(Q W_Qi (K W_Ki)^T / sqrt(d)) V W_Vi and d = embedDim / numHeads.
 *
 * Shapes, with `batchFirst`: query [N, L, embedDim], key [N, S, kdim], value [N, S, vdim] -> [N, L, embedDim], and weights
 * [N, L, S]; without it the first two dimensions change places. [L, embedDim] and so on without a batch. With the query
 * alone it attends to itself. A query that sees no key gets weights of 0.
 *
 * Parameters are PyTorch's: in_proj_weight [3 embedDim, embedDim], in_proj_bias, out_proj.weight and out_proj.bias;
 * q_proj_weight, k_proj_weight and v_proj_weight where kdim or vdim differ.
 *
 * Source: Vaswani et al., "Attention is all you need", NeurIPS 2017.
 *
 * @throws RangeError that names the layer and the shapes where they do not fit.
 * @example
 * import { nn, randn } from 'nativegrad';
 * const attention = new nn.MultiheadAttention(16, 4, { batchFirst: true });
 * const x = randn([2, 5, 16]);
 * const [output, weights] = attention.forward(x, x, x, { isCausal: true });
 * console.log(output.shape, weights?.shape); // [2, 5, 16] [2, 5, 5]
 */
export class MultiheadAttention extends Module implements ModuleOfSeveral {
    readonly in_proj_weight: Parameter | null = null;
    readonly q_proj_weight: Parameter | null = null;
    readonly k_proj_weight: Parameter | null = null;
    readonly v_proj_weight: Parameter | null = null;
    readonly in_proj_bias: Parameter | null;
    readonly out_proj: Linear;
    readonly dropout: number;
    readonly kdim: number;
    readonly vdim: number;
    readonly batchFirst: boolean;
    /** @internal */
    readonly generator: Generator;

    constructor(
        readonly embedDim: number,
        readonly numHeads: number,
        options: MultiheadAttentionOptions = {},
    ) {
        super();
        const names = ['dropout', 'bias', 'kdim', 'vdim', 'batchFirst', 'dtype', 'generator'];
        requireOptions('MultiheadAttention', options, ...names);
        const { dropout: p = 0, bias = true, kdim = embedDim, vdim = embedDim, dtype = 'float32' } = options;
        requireSizes('MultiheadAttention', { embedDim, numHeads, kdim, vdim });
        if (embedDim % numHeads !== 0)
            throw new RangeError(
                `MultiheadAttention: ${numHeads} heads do not divide embedDim ${embedDim}; make it a multiple`,
            );
        if (!(p >= 0 && p <= 1))
            throw new RangeError(`MultiheadAttention: dropout must be in [0, 1], got ${String(p)}`);
        const weight = (rows: number, columns: number): Parameter => {
            const made = new Parameter(zerosOf([rows, columns], { dtype }));
            xavierUniform(made, options);
            return made;
        };
        if (kdim === embedDim && vdim === embedDim) {
            this.in_proj_weight = weight(3 * embedDim, embedDim);
        } else {
            this.q_proj_weight = weight(embedDim, embedDim);
            this.k_proj_weight = weight(embedDim, kdim);
            this.v_proj_weight = weight(embedDim, vdim);
        }
        this.in_proj_bias = bias ? new Parameter(zerosOf([3 * embedDim], { dtype })) : null;
        const generator = options.generator ? { generator: options.generator } : {};
        this.out_proj = new Linear(embedDim, embedDim, { bias, dtype, ...generator });
        if (this.out_proj.bias) zeros(this.out_proj.bias);
        [this.dropout, this.kdim, this.vdim] = [p, kdim, vdim];
        this.batchFirst = options.batchFirst ?? false;
        this.generator = options.generator ?? defaultGenerator;
    }

    /** The output, and the attention weights, or null without `needWeights`. */
    forward(
        query: Tensor,
        key: Tensor = query,
        value: Tensor = key,
        options: AttendOptions = {},
    ): [Tensor, Tensor | null] {
        const known = ['keyPaddingMask', 'needWeights', 'attnMask', 'averageAttnWeights', 'isCausal'];
        requireOptions('MultiheadAttention', options, ...known);
        const { needWeights = true, averageAttnWeights = true } = options;
        const sizes = checkAttention(this, query, key, value, (...problem) => this.shapeError(...problem));
        const { isBatched } = sizes;
        const [q, k, v] = this.heads(query, key, value, sizes);
        const drop = (weights: Tensor): Tensor =>
            dropout(weights, this.dropout, { training: this.training, generator: this.generator });
        const { output, weights } = attend(q, k, v, this.mask(options, sizes, query), drop);
        // [N, h, L, d] -> [N, L, h d], or [L, N, h d]
        const joined = reshape(transpose(output, 1, 2), [sizes.batch, sizes.queries, this.embedDim]);
        const result = this.out_proj.forward(
            isBatched && !this.batchFirst ? transpose(joined, 0, 1) : joined,
        );
        const given = needWeights ? (averageAttnWeights ? mean(weights, 1) : weights) : null;
        const alone = (x: Tensor): Tensor => reshape(x, x.shape.slice(1));
        return isBatched ? [result, given] : [alone(result), given && alone(given)];
    }

    /** Queries, keys and values of each head: [N, h, L or S, d]. */
    private heads(query: Tensor, key: Tensor, value: Tensor, sizes: AttentionSizes): Tensor[] {
        const { numHeads, embedDim, in_proj_weight: joint, in_proj_bias: bias } = this;
        const first = this.batchFirst || !sizes.isBatched;
        // [N, L, n E] or [L, N, n E] -> n times [N, h, L, d]
        const cut = (x: Tensor, length: number, n: number): readonly Tensor[] => {
            const d = embedDim / numHeads;
            const [a, b] = first ? [sizes.batch, length] : [length, sizes.batch];
            const parts = unbind(reshape(x, [a, b, n, numHeads, d]), 2);
            return parts.map((part) => (first ? part.permute(0, 2, 1, 3) : part.permute(1, 2, 0, 3)));
        };
        const rows = (x: Tensor, from: number, n: number): Tensor =>
            n === 3 ? x : slice(x, 0, from * embedDim, (from + n) * embedDim);
        const project = (x: Tensor, length: number, from: number, n: number): readonly Tensor[] => {
            const own = [this.q_proj_weight, this.k_proj_weight, this.v_proj_weight][from] ?? null;
            const weight = joint ? rows(joint, from, n) : own;
            if (!weight) throw new TypeError('[MultiheadAttention] its weights were removed');
            return cut(linear(x, weight, bias && rows(bias, from, n)), length, n);
        };
        if (joint && query === key && key === value) return [...project(query, sizes.queries, 0, 3)];
        const q = project(query, sizes.queries, 0, 1);
        if (joint && key === value) return [...q, ...project(key, sizes.keys, 1, 2)];
        return [...q, ...project(key, sizes.keys, 1, 1), ...project(value, sizes.keys, 2, 1)];
    }

    /** All masks as one on scores [N, h, L, S]. */
    private mask(options: AttendOptions, sizes: AttentionSizes, query: Tensor): ScoreMask {
        const { keyPaddingMask, attnMask, isCausal = false } = options;
        const { batch, queries, keys } = sizes;
        const read = (mask: Tensor): ScoreMask =>
            isFloat(mask.dtype) ? floatMask(mask) : { blocked: mask, bias: null, mayBlockAll: true };
        const refuse = (name: string, mask: Tensor, shapes: string): never => {
            throw this.shapeError(`${name} ${shapes}`, mask.shape, maskProblem(mask, sizes));
        };
        let all = isCausal ? causalMask(queries, keys, query) : noMask;
        if (attnMask) {
            requireTensor('MultiheadAttention', attnMask, 'attnMask');
            const perHead = shapeText([batch * this.numHeads, queries, keys]);
            const plain = shapeText([queries, keys]);
            const fits = [plain, perHead].includes(shapeText(attnMask.shape));
            if (!fits || (attnMask.dtype !== 'bool' && !isFloat(attnMask.dtype)))
                refuse('attnMask', attnMask, `${plain} or ${perHead}`);
            const shaped =
                attnMask.rank === 2 ? attnMask : reshape(attnMask, [batch, this.numHeads, queries, keys]);
            all = bothMasks(all, read(shaped));
        }
        if (keyPaddingMask) {
            requireTensor('MultiheadAttention', keyPaddingMask, 'keyPaddingMask');
            const shape = sizes.isBatched ? [batch, keys] : [keys];
            const fits = shapeText(keyPaddingMask.shape) === shapeText(shape);
            if (!fits || (keyPaddingMask.dtype !== 'bool' && !isFloat(keyPaddingMask.dtype)))
                refuse('keyPaddingMask', keyPaddingMask, shapeText(shape));
            const placed = reshape(keyPaddingMask, [batch, 1, 1, keys]);
            all = bothMasks(all, read(placed));
        }
        return all;
    }

    override describe(): string {
        const { embedDim, numHeads, kdim, vdim, batchFirst } = this;
        const other = kdim === embedDim && vdim === embedDim ? '' : `, kdim: ${kdim}, vdim: ${vdim}`;
        return (
            `${embedDim}, ${numHeads}${this.dropout > 0 ? `, dropout: ${this.dropout}` : ''}` +
            `${this.in_proj_bias ? '' : ', bias: false'}${other}${batchFirst ? ', batchFirst: true' : ''}`
        );
    }
}
