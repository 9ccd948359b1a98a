import { defineOp } from '../autograd/define_op.js';
import { run } from '../native/call.js';
import { requireList, shapeText, sizeOf, type Shape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { add, mul } from './arithmetic.js';
import { cast, requireFloat, requireTensor } from './convert.js';
import { runNew } from './kernels.js';
import { installMethods } from './methods.js';
import { reshape } from './shape_ops.js';

export interface RowNormOptions {
    /** Added to the variance; default 1e-5. */
    readonly eps?: number;
}

interface StandardizeOptions {
    readonly axis: number;
    readonly eps: number;
}

// x [..., L...] -> (x - mean) / sqrt(variance + eps) over the axes from `axis` on
const standardizeOp = defineOp<readonly [Tensor], StandardizeOptions>({
    name: 'standardize',
    forward: (context, [x], { axis, eps }) => {
        const y = new Tensor(x.shape, x.dtype);
        const inverse = new Tensor([sizeOf(x.shape.slice(0, axis))], x.dtype);
        run('standardize', [x], [y, inverse], [axis, eps]);
        if (context.recording) context.save(y, inverse);
        else inverse.dispose();
        return y;
    },
    backward: (dy, { saved, options }) => {
        const [y, inverse] = saved as [Tensor, Tensor];
        return [runNew('standardize_backward', [dy, y, inverse], y.shape, y.dtype, [options.axis])];
    },
});

/** Two-byte floats are computed in float32, and rounded once at the end. */
function inWide(x: Tensor, body: (wide: Tensor) => Tensor): Tensor {
    const narrow = x.dtype === 'float16' || x.dtype === 'bfloat16';
    return narrow ? cast(body(cast(x, 'float32')), x.dtype) : body(x);
}

function affine(y: Tensor, weight: Tensor | null, bias: Tensor | null, shape: Shape): Tensor {
    const scaled = weight ? mul(y, reshape(weight, shape)) : y;
    return bias ? add(scaled, reshape(bias, shape)) : scaled;
}

function checkVector(op: string, name: string, value: Tensor | null, shape: Shape): void {
    if (value === null) return;
    requireTensor(op, value, name);
    requireFloat(op, value);
    if (shapeText(value.shape) !== shapeText(shape)) {
        throw new RangeError(
            `[${op}] ${name} has shape ${shapeText(value.shape)}, expected ${shapeText(shape)}`,
        );
    }
}

function epsilonOf(op: string, { eps = 1e-5 }: RowNormOptions): number {
    if (!Number.isFinite(eps) || eps < 0)
        throw new RangeError(`[${op}] eps must be a finite number of at least 0, got ${eps}`);
    return eps;
}

/**
 * Layer normalisation: y = (x - mean) / sqrt(variance + eps) weight + bias, with mean and (biased) variance over the last
 * dimensions of each sample.
 *
 * x [..., normalizedShape]; weight, bias: normalizedShape or null. Float dtypes.
 *
 * Source: Ba, Kiros and Hinton, "Layer normalization", 2016.
 *
 * @throws RangeError when the last dimensions, weight or bias have another shape.
 * @example
 * import { layerNorm, tensor } from 'nativegrad';
 * console.log(layerNorm(tensor([[1, 3]]), 2).toArray()); // [[-0.99…, 0.99…]]
 */
export function layerNorm(
    x: Tensor,
    normalizedShape: number | Shape,
    weight: Tensor | null = null,
    bias: Tensor | null = null,
    options: RowNormOptions = {},
): Tensor {
    const op = 'layer_norm';
    requireTensor(op, x);
    requireFloat(op, x);
    const shape = typeof normalizedShape === 'number' ? [normalizedShape] : normalizedShape;
    requireList(op, 'normalizedShape', shape);
    const axis = x.rank - shape.length;
    if (shape.length === 0 || axis < 0 || shapeText(x.shape.slice(axis)) !== shapeText(shape)) {
        throw new RangeError(
            `[${op}] the input ${shapeText(x.shape)} does not end in the normalized shape ${shapeText(shape)}`,
        );
    }
    checkVector(op, 'weight', weight, shape);
    checkVector(op, 'bias', bias, shape);
    const eps = epsilonOf(op, options);
    return inWide(x, (wide) => affine(standardizeOp([wide], { axis, eps }), weight, bias, shape));
}

/**
 * Group normalisation: channels are cut into groups, and mean and (biased) variance are taken over each sample's group.
 *
 * x [N, C, ...]; weight, bias: [C] or null. Float dtypes.
 *
 * Source: Wu and He, "Group normalization", ECCV 2018.
 *
 * @throws RangeError when the channels do not divide into the groups, or weight or bias are not [C].
 * @example
 * import { groupNorm, randn } from 'nativegrad';
 * console.log(groupNorm(randn([2, 8, 5, 5]), 4).shape); // [2, 8, 5, 5]
 */
export function groupNorm(
    x: Tensor,
    groups: number,
    weight: Tensor | null = null,
    bias: Tensor | null = null,
    options: RowNormOptions = {},
): Tensor {
    const op = 'group_norm';
    requireTensor(op, x);
    requireFloat(op, x);
    const [n = 0, channels = 0, ...rest] = x.shape;
    if (x.rank < 2) throw new RangeError(`[${op}] expects an input [N, C, ...], got ${shapeText(x.shape)}`);
    if (!Number.isSafeInteger(groups) || groups < 1 || channels % groups !== 0) {
        throw new RangeError(
            `[${op}] ${channels} channels do not divide into ${groups} groups: input ${shapeText(x.shape)}`,
        );
    }
    checkVector(op, 'weight', weight, [channels]);
    checkVector(op, 'bias', bias, [channels]);
    const eps = epsilonOf(op, options);
    const vector = [channels, ...rest.map(() => 1)];
    return inWide(x, (wide) => {
        const rows = reshape(wide, [n, groups, (channels / groups) * sizeOf(rest)]);
        return affine(reshape(standardizeOp([rows], { axis: 2, eps }), x.shape), weight, bias, vector);
    });
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        layerNorm(
            normalizedShape: number | Shape,
            weight?: Tensor | null,
            bias?: Tensor | null,
            options?: RowNormOptions,
        ): Tensor;
        groupNorm(
            groups: number,
            weight?: Tensor | null,
            bias?: Tensor | null,
            options?: RowNormOptions,
        ): Tensor;
    }
}

installMethods({ layerNorm, groupNorm });
