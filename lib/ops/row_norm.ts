import { defineOp } from '../autograd/define_op.js';
import { run } from '../native/call.js';
import { requireList, shapeText, sizeOf, type Shape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { add, mul } from './arithmetic.js';
import { fullPrecision } from './autocast.js';
import { cast, requireFloat, requireTensor } from './convert.js';
import { onesLike, zerosLike } from './create.js';
import { installMethods } from './methods.js';
import { reshape } from './shape_ops.js';

export interface RowNormOptions {
    /** Added to the variance; default 1e-5. */
    readonly eps?: number;
}

interface LayerNormSettings {
    /** The first of the axes that one mean and one variance cover. */
    readonly axis: number;
    readonly eps: number;
}

// x [..., L...] (, weight, bias [L...]) -> (x - mean) / sqrt(variance + eps) (weight + bias) over the axes from `axis` on
const layerNormOp = defineOp<readonly Tensor[], LayerNormSettings>({
    name: 'layer_norm',
    forward: (context, inputs, { axis, eps }) => {
        const [x, weight] = inputs as [Tensor, Tensor | undefined];
        const y = new Tensor(x.shape, x.dtype);
        const rows = [sizeOf(x.shape.slice(0, axis))];
        const [mean, inverse] = [new Tensor(rows, x.dtype), new Tensor(rows, x.dtype)];
        run('layer_norm', inputs, [y, mean, inverse], [axis, eps]);
        if (context.recording) {
            context.save(x, mean, inverse, ...(weight ? [weight] : []));
        } else {
            mean.dispose();
            inverse.dispose();
        }
        return y;
    },
    backward: (dy, { saved, options, needs }) => {
        const [x, , , weight] = saved as [Tensor, Tensor, Tensor, Tensor | undefined];
        const dx = new Tensor(x.shape, x.dtype);
        const affine = weight ? [new Tensor(weight.shape, x.dtype), new Tensor(weight.shape, x.dtype)] : [];
        run('layer_norm_backward', [dy, ...saved], [dx, ...affine], [options.axis]);
        return [needs[0] ? dx : null, ...affine];
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

/** Weight and bias for the kernel, in x's dtype: both, or none; a missing one becomes ones or zeros. */
function affineInputs(x: Tensor, weight: Tensor | null, bias: Tensor | null): Tensor[] {
    const given = weight ?? bias;
    if (!given) return [];
    return [weight ?? onesLike(given), bias ?? zerosLike(given)].map((vector) => cast(vector, x.dtype));
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
    return inWide(fullPrecision(x), (wide) => {
        // As everywhere, a float64 weight makes the result float64.
        const isWider = (vector: Tensor | null): boolean => vector?.dtype === 'float64';
        if (wide.dtype !== 'float64' && (isWider(weight) || isWider(bias)))
            return affine(layerNormOp([wide], { axis, eps }), weight, bias, shape);
        return layerNormOp([wide, ...affineInputs(wide, weight, bias)], { axis, eps });
    });
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
    return inWide(fullPrecision(x), (wide) => {
        const rows = reshape(wide, [n, groups, (channels / groups) * sizeOf(rest)]);
        return affine(reshape(layerNormOp([rows], { axis: 2, eps }), x.shape), weight, bias, vector);
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
