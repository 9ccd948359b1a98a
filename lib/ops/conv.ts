import { lowPrecision } from './autocast.js';
import { defineOp } from '../autograd/define_op.js';
import { run } from '../native/call.js';
import { shapeText, type Shape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { requireFloat, requireTensor } from './convert.js';
import { runNew } from './kernels.js';
import { installMethods } from './methods.js';
import { squeeze, unsqueeze } from './shape_ops.js';
import { listParameters, pairOf, type Pair, type Two } from './pair.js';

/** How a kernel moves over an image. */
export interface ConvOptions {
    /** Pixels from one window to the next; default 1. */
    readonly stride?: Pair;
    /** Zeros on both sides of each axis, or 'same' for an output of the input's size (stride 1); default 0. */
    readonly padding?: Pair | 'same' | 'valid';
    /** Pixels from one kernel element to the next; default 1. */
    readonly dilation?: Pair;
    /** Channels are cut into this many groups that do not see each other; default 1. */
    readonly groups?: number;
}

export interface ConvTransposeOptions extends ConvOptions {
    readonly padding?: Pair;
    /** Rows and columns added at the end, to choose among the sizes that a stride makes possible; default 0. */
    readonly outputPadding?: Pair;
}

interface Geometry {
    readonly stride: Two;
    /** Rows before and after, columns before and after. */
    readonly padding: readonly [number, number, number, number];
    readonly dilation: Two;
    readonly groups: number;
}

function parameters({ stride, padding, dilation, groups }: Geometry): number[] {
    return [...listParameters(stride, padding, dilation), groups];
}

function channelsOf(x: Tensor): number {
    return x.shape[1] ?? 0;
}

function checkOperands(op: string, x: Tensor, w: Tensor, bias: Tensor | null): void {
    requireTensor(op, x);
    requireTensor(op, w, 'weight');
    requireFloat(op, x);
    for (const [name, other] of [
        ['weight', w],
        ['bias', bias],
    ] as const) {
        if (other === null) continue;
        requireTensor(op, other, name);
        if (other.dtype !== x.dtype) {
            throw new TypeError(
                `[${op}] dtypes differ: input ${x.dtype}, ${name} ${other.dtype}; cast one with x.to('${x.dtype}')`,
            );
        }
    }
    if (x.rank !== 4 || w.rank !== 4) {
        throw new RangeError(
            `[${op}] expects an input [N, C, H, W] and a weight of 4 dimensions, got ${shapeText(x.shape)} and ` +
                `${shapeText(w.shape)}; add a batch dimension with unsqueeze(0)`,
        );
    }
}

function checkBias(op: string, bias: Tensor | null, channels: number): void {
    if (bias !== null && (bias.rank !== 1 || bias.shape[0] !== channels)) {
        throw new RangeError(
            `[${op}] bias has shape ${shapeText(bias.shape)}, expected [${channels}]: one value per output channel`,
        );
    }
}

function checkGroups(op: string, groups: number): number {
    if (!Number.isSafeInteger(groups) || groups < 1)
        throw new RangeError(`[${op}] groups must be a positive integer, got ${groups}`);
    return groups;
}

function paddingOf(
    op: string,
    padding: Pair | 'same' | 'valid',
    w: Tensor,
    stride: Two,
    dilation: Two,
): Geometry['padding'] {
    if (padding === 'valid') return [0, 0, 0, 0];
    if (padding !== 'same') {
        const [rows, columns] = pairOf(op, 'padding', padding, 0);
        return [rows, rows, columns, columns];
    }
    if (stride[0] !== 1 || stride[1] !== 1) {
        throw new RangeError(
            `[${op}] padding 'same' needs stride 1, got ${shapeText(stride)}; give the padding as numbers`,
        );
    }
    const total = [0, 1].map((axis) => (dilation[axis] ?? 1) * ((w.shape[2 + axis] ?? 1) - 1));
    const [rows = 0, columns = 0] = total;
    return [Math.floor(rows / 2), Math.ceil(rows / 2), Math.floor(columns / 2), Math.ceil(columns / 2)];
}

/** Size of the output along the image axes. */
function outputSize(op: string, x: Tensor, w: Tensor, { stride, padding, dilation }: Geometry): number[] {
    return [0, 1].map((axis) => {
        const size = x.shape[2 + axis] ?? 0;
        const padded = size + (padding[2 * axis] ?? 0) + (padding[2 * axis + 1] ?? 0);
        const reach = (dilation[axis] ?? 1) * ((w.shape[2 + axis] ?? 1) - 1) + 1;
        if ((w.shape[2 + axis] ?? 0) < 1) {
            throw new RangeError(`[${op}] the weight ${shapeText(w.shape)} has an empty kernel`);
        }
        if (reach > padded) {
            throw new RangeError(
                `[${op}] the kernel spans ${reach} pixels and the padded input has ${padded} along axis ${2 + axis}: ` +
                    `input ${shapeText(x.shape)}, weight ${shapeText(w.shape)}; pad more or use a smaller kernel`,
            );
        }
        return Math.floor((padded - reach) / (stride[axis] ?? 1)) + 1;
    });
}

type ConvInputs = readonly [Tensor, Tensor] | readonly [Tensor, Tensor, Tensor];

interface GradientOptions extends Geometry {
    readonly shape: Shape;
}

// x [N, C, H, W], w [O, C / groups, kH, kW], (bias [O]) -> y [N, O, H', W']
const conv2dOp = defineOp<ConvInputs, Geometry>({
    name: 'conv2d',
    forward: (context, inputs, geometry) => {
        const [x, w] = inputs;
        context.save(x, w);
        const size = outputSize('conv2d', x, w, geometry);
        const shape = [x.shape[0] ?? 0, w.shape[0] ?? 0, ...size];
        return runNew('conv2d', inputs, shape, x.dtype, parameters(geometry));
    },
    backward: (dy, { saved, needs, options, shapes }) => {
        const [x, w] = saved as [Tensor, Tensor];
        const dx = needs[0] ? backwardInput([dy, w], { ...options, shape: x.shape }) : null;
        const wanted = needs[1] || needs[2];
        const [dw = null, dbias = null] = wanted
            ? backwardWeight([x, dy], { ...options, shape: w.shape }, needs[2])
            : [];
        return [dx, dw, dbias].slice(0, shapes.length);
    },
    differentiable: true,
});

// dy [N, O, H', W'], w [O, C / groups, kH, kW], (bias [C]) -> dx [N, C, H, W]: the adjoint of conv2d in x
const backwardInputOp = defineOp<ConvInputs, GradientOptions>({
    name: 'conv2d_backward_input',
    forward: (context, inputs, options) => {
        const [dy, w] = inputs;
        context.save(dy, w);
        return runNew('conv2d_backward_input', inputs, options.shape, dy.dtype, parameters(options));
    },
    backward: (gradient, { saved, needs, options, shapes }) => {
        const [dy, w] = saved as [Tensor, Tensor];
        const [dw = null] = needs[1]
            ? backwardWeight([gradient, dy], { ...options, shape: w.shape }, false)
            : [];
        const ddy = needs[0] ? conv2dOp([gradient, w], options) : null;
        return [ddy, dw, needs[2] ? gradient.sum([0, 2, 3]) : null].slice(0, shapes.length);
    },
    differentiable: true,
});

function backwardInput(inputs: ConvInputs, options: GradientOptions): Tensor {
    return backwardInputOp(inputs, options);
}

// x [N, C, H, W], dy [N, O, H', W'] -> dw [O, C / groups, kH, kW] (, dbias [O]): the adjoint of conv2d in w
const backwardWeightOp = defineOp<
    readonly [Tensor, Tensor],
    GradientOptions & { readonly bias: boolean },
    readonly Tensor[]
>({
    name: 'conv2d_backward_weight',
    forward: (context, inputs, options) => {
        const [x, dy] = inputs;
        context.save(x, dy);
        const outputs = [new Tensor(options.shape, x.dtype)];
        if (options.bias) outputs.push(new Tensor([options.shape[0] ?? 0], x.dtype));
        run('conv2d_backward_weight', inputs, outputs, parameters(options));
        return outputs;
    },
    backward: ([dwGradient = null, biasGradient = null], { saved, needs, options }) => {
        const [x, dy] = saved as [Tensor, Tensor];
        const parts: Tensor[] = [];
        if (needs[1] && dwGradient) parts.push(conv2dOp([x, dwGradient], options));
        if (needs[1] && biasGradient) parts.push(biasGradient.reshape([1, -1, 1, 1]).expand(dy.shape));
        const [first = null, second] = parts;
        const wanted = needs[0] && dwGradient !== null;
        const dx = wanted ? backwardInput([dy, dwGradient], { ...options, shape: x.shape }) : null;
        return [dx, first && second ? first.add(second) : first];
    },
    differentiable: true,
});

function backwardWeight(
    inputs: readonly [Tensor, Tensor],
    options: GradientOptions,
    bias: boolean,
): readonly Tensor[] {
    return backwardWeightOp(inputs, { ...options, bias });
}

/**
 * Cross-correlation of images with kernels: y[n, o, i, j] = bias[o] + sum over c, r, s of
 * w[o, c, r, s] x[n, c, i stride + r dilation - padding, j stride + s dilation - padding].
 *
 * x [N, C, H, W], weight [O, C / groups, kH, kW], bias [O] or null -> [N, O, H', W'], H' = floor((H + 2 padding -
 * dilation (kH - 1) - 1) / stride) + 1. Float dtypes. The result lies in memory with its channels side by side.
 *
 * @throws RangeError when channels, groups or sizes do not fit; TypeError when dtypes differ.
 * @example
 * import { conv2d, ones } from 'nativegrad';
 * const y = conv2d(ones([8, 3, 32, 32]), ones([16, 3, 3, 3]), null, { padding: 1 });
 * console.log(y.shape); // [8, 16, 32, 32]
 */
export function conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | null = null,
    options: ConvOptions = {},
): Tensor {
    return correlate('conv2d', lowPrecision(x), lowPrecision(weight), lowPrecision(bias), options);
}

function correlate(op: string, x: Tensor, weight: Tensor, bias: Tensor | null, options: ConvOptions): Tensor {
    checkOperands(op, x, weight, bias);
    const groups = checkGroups(op, options.groups ?? 1);
    const stride = pairOf(op, 'stride', options.stride ?? 1, 1);
    const dilation = pairOf(op, 'dilation', options.dilation ?? 1, 1);
    const padding = paddingOf(op, options.padding ?? 0, weight, stride, dilation);
    const expected = (weight.shape[1] ?? 0) * groups;
    if (channelsOf(x) !== expected) {
        throw new RangeError(
            `[${op}] input has ${channelsOf(x)} channels, weight ${shapeText(weight.shape)}` +
                `${groups > 1 ? ` in ${groups} groups` : ''} expects ${expected}: input ${shapeText(x.shape)}`,
        );
    }
    if ((weight.shape[0] ?? 0) % groups !== 0) {
        throw new RangeError(
            `[${op}] ${weight.shape[0]} output channels do not divide into ${groups} groups: weight ${shapeText(weight.shape)}`,
        );
    }
    checkBias(op, bias, weight.shape[0] ?? 0);
    const geometry = { stride, padding, dilation, groups };
    outputSize(op, x, weight, geometry);
    return conv2dOp(bias ? [x, weight, bias] : [x, weight], geometry);
}

/** One number, or a list of one. */
type Single = number | readonly number[];

export interface Conv1dOptions {
    readonly stride?: Single;
    readonly padding?: Single | 'same' | 'valid';
    readonly dilation?: Single;
    readonly groups?: number;
}

function single(op: string, name: string, value: Single): number {
    const list = typeof value === 'number' ? [value] : value;
    if (list.length !== 1) throw new RangeError(`[${op}] ${name} must be one number, got ${shapeText(list)}`);
    return list[0] ?? 0;
}

/**
 * Cross-correlation of sequences with kernels: `conv2d` with one row.
 *
 * x [N, C, L], weight [O, C / groups, k], bias [O] or null -> [N, O, L'].
 *
 * @throws RangeError when channels, groups or sizes do not fit; TypeError when dtypes differ.
 * @example
 * import { conv1d, ones } from 'nativegrad';
 * console.log(conv1d(ones([1, 2, 10]), ones([4, 2, 3])).shape); // [1, 4, 8]
 */
export function conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | null = null,
    options: Conv1dOptions = {},
): Tensor {
    requireTensor('conv1d', x);
    requireTensor('conv1d', weight, 'weight');
    if (x.rank !== 3 || weight.rank !== 3) {
        throw new RangeError(
            `[conv1d] expects an input [N, C, L] and a weight [O, C / groups, k], got ${shapeText(x.shape)} and ` +
                shapeText(weight.shape),
        );
    }
    const padding = options.padding ?? 0;
    const [images, kernels] = [unsqueeze(lowPrecision(x), 2), unsqueeze(lowPrecision(weight), 2)];
    const y = correlate('conv1d', images, kernels, lowPrecision(bias), {
        stride: [1, single('conv1d', 'stride', options.stride ?? 1)],
        padding: typeof padding === 'string' ? padding : [0, single('conv1d', 'padding', padding)],
        dilation: [1, single('conv1d', 'dilation', options.dilation ?? 1)],
        groups: options.groups,
    });
    return squeeze(y, 2);
}

/**
 * Transposed convolution: the gradient of `conv2d` in its input, used as a layer that enlarges images.
 *
 * x [N, C, H, W], weight [C, O / groups, kH, kW], bias [O] or null -> [N, O, H', W'], H' = (H - 1) stride - 2 padding +
 * dilation (kH - 1) + outputPadding + 1.
 *
 * @throws RangeError when channels, groups or sizes do not fit, or an output padding reaches both stride and dilation.
 * @example
 * import { convTranspose2d, ones } from 'nativegrad';
 * console.log(convTranspose2d(ones([1, 8, 7, 7]), ones([8, 4, 2, 2]), null, { stride: 2 }).shape); // [1, 4, 14, 14]
 */
export function convTranspose2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | null = null,
    options: ConvTransposeOptions = {},
): Tensor {
    return spread(lowPrecision(x), lowPrecision(weight), lowPrecision(bias), options);
}

function spread(x: Tensor, weight: Tensor, bias: Tensor | null, options: ConvTransposeOptions): Tensor {
    const op = 'conv_transpose2d';
    checkOperands(op, x, weight, bias);
    const groups = checkGroups(op, options.groups ?? 1);
    const stride = pairOf(op, 'stride', options.stride ?? 1, 1);
    const dilation = pairOf(op, 'dilation', options.dilation ?? 1, 1);
    const extra = pairOf(op, 'outputPadding', options.outputPadding ?? 0, 0);
    const padding = paddingOf(op, options.padding ?? 0, weight, stride, dilation);
    if (channelsOf(x) !== weight.shape[0] || channelsOf(x) % groups !== 0) {
        throw new RangeError(
            `[${op}] input has ${channelsOf(x)} channels, weight ${shapeText(weight.shape)} expects ${weight.shape[0]}` +
                `${groups > 1 ? `, a multiple of ${groups} groups` : ''}: input ${shapeText(x.shape)}`,
        );
    }
    const channels = (weight.shape[1] ?? 0) * groups;
    checkBias(op, bias, channels);
    const size = [0, 1].map((axis) => {
        const step = stride[axis] ?? 1;
        const gap = dilation[axis] ?? 1;
        if ((extra[axis] ?? 0) >= Math.max(step, gap)) {
            throw new RangeError(
                `[${op}] outputPadding ${extra[axis]} must be below the stride (${step}) or the dilation (${gap})`,
            );
        }
        const margins = (padding[2 * axis] ?? 0) + (padding[2 * axis + 1] ?? 0);
        const full = ((x.shape[2 + axis] ?? 0) - 1) * step + gap * ((weight.shape[2 + axis] ?? 1) - 1);
        return full - margins + (extra[axis] ?? 0) + 1;
    });
    if (size.some((value) => value < 1)) {
        throw new RangeError(
            `[${op}] the output would have size ${shapeText(size)}: input ${shapeText(x.shape)}, weight ` +
                `${shapeText(weight.shape)}; pad less`,
        );
    }
    return backwardInput(bias ? [x, weight, bias] : [x, weight], {
        stride,
        padding,
        dilation,
        groups,
        shape: [x.shape[0] ?? 0, channels, ...size],
    });
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        conv1d(weight: Tensor, bias?: Tensor | null, options?: Conv1dOptions): Tensor;
        conv2d(weight: Tensor, bias?: Tensor | null, options?: ConvOptions): Tensor;
        convTranspose2d(weight: Tensor, bias?: Tensor | null, options?: ConvTransposeOptions): Tensor;
    }
}

installMethods({ conv1d, conv2d, convTranspose2d });
