import { conv1d, conv2d, convTranspose2d } from '../ops/conv.js';
import { zeros } from '../ops/create.js';
import { entriesOf, type Pair } from '../ops/pair.js';
import { squeeze, unsqueeze } from '../ops/shape_ops.js';
import type { DType } from '../tensor/dtype.js';
import { requireTensor } from '../tensor/require_tensor.js';
import { shapeText, type Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { InitOptions } from './draw.js';
import { defaultInit } from './init.js';
import { Module, type Layer } from './module.js';
import { describeOptions, requireOptions, requireSizes } from './options.js';
import { Parameter } from './parameter.js';

interface CommonConvOptions extends InitOptions {
    /** Groups of channels that do not see each other. Default: 1. */
    readonly groups?: number;
    /** Default: true. */
    readonly bias?: boolean;
    /** Default: float32. */
    readonly dtype?: DType;
}

export interface Conv2dOptions extends CommonConvOptions {
    /** Pixels from one window to the next. Default: 1. */
    readonly stride?: Pair;
    /** Zeros on both sides, or 'same' for an output of the input's size. Default: 0. */
    readonly padding?: Pair | 'same' | 'valid';
    /** Pixels from one kernel element to the next. Default: 1. */
    readonly dilation?: Pair;
}

export interface Conv1dOptions extends CommonConvOptions {
    readonly stride?: number;
    readonly padding?: number | 'same' | 'valid';
    readonly dilation?: number;
}

export interface ConvTranspose2dOptions extends CommonConvOptions {
    readonly stride?: Pair;
    readonly padding?: Pair;
    /** Rows and columns added at the end of the output. Default: 0. */
    readonly outputPadding?: Pair;
    readonly dilation?: Pair;
}

/** What the options of all three convolutions may hold. */
type AnyConvOptions = CommonConvOptions & {
    readonly stride?: Pair;
    readonly padding?: Pair | 'same' | 'valid';
    readonly outputPadding?: Pair;
    readonly dilation?: Pair;
};

/** Checks the windows' geometry as the op would in the first forward. */
function checkWindows(type: string, options: AnyConvOptions, axes: 1 | 2, transposed: boolean): void {
    const own = transposed ? ['outputPadding'] : [];
    requireOptions(
        type,
        options,
        ...['stride', 'padding', 'dilation', ...own, 'groups', 'bias', 'dtype', 'generator'],
    );
    const { stride = 1, padding = 0, dilation = 1, outputPadding = 0 } = options;
    const strides = entriesOf(`${type}:`, 'stride', stride, 1, axes);
    const dilations = entriesOf(`${type}:`, 'dilation', dilation, 1, axes);
    const extra = entriesOf(`${type}:`, 'outputPadding', outputPadding, 0, axes);
    if (extra.some((size, axis) => size > 0 && size >= Math.max(strides[axis] ?? 1, dilations[axis] ?? 1))) {
        throw new RangeError(
            `${type}: outputPadding ${shapeText(extra)} must be smaller than stride ${shapeText(strides)} or ` +
                `dilation ${shapeText(dilations)}`,
        );
    }
    if (typeof padding !== 'string' || transposed) {
        entriesOf(`${type}:`, 'padding', padding, 0, axes);
        return;
    }
    if (padding !== 'same' && padding !== 'valid') {
        throw new RangeError(
            `${type}: padding must be 'same', 'valid' or integers, got '${String(padding)}'`,
        );
    }
    if (padding === 'same' && strides.some((step) => step !== 1))
        throw new RangeError(`${type}: padding 'same' needs a stride of 1, got ${shapeText(strides)}`);
}

/** What the convolutions share: weight, bias and the check of the channels. */
abstract class Convolution extends Module implements Layer {
    readonly weight: Parameter;
    readonly bias: Parameter | null;

    constructor(
        readonly inChannels: number,
        readonly outChannels: number,
        readonly kernelSize: Pair,
        readonly options: CommonConvOptions,
        axes: 1 | 2,
        transposed = false,
    ) {
        super();
        const type = new.target.name;
        const groups = options.groups ?? 1;
        checkWindows(type, options, axes, transposed);
        requireSizes(type, { inChannels, outChannels, groups });
        const window = entriesOf(`${type}:`, 'kernelSize', kernelSize, 1, axes);
        if (inChannels % groups !== 0 || outChannels % groups !== 0) {
            throw new RangeError(
                `${type}: groups must divide inChannels and outChannels, got ${groups} for ${inChannels} and ${outChannels}`,
            );
        }
        const channels = transposed ? [inChannels, outChannels / groups] : [outChannels, inChannels / groups];
        const dtype = options.dtype ?? 'float32';
        this.weight = new Parameter(zeros([...channels, ...window], { dtype }));
        this.bias = (options.bias ?? true) ? new Parameter(zeros([outChannels], { dtype })) : null;
        defaultInit(this.weight, this.bias, options);
    }

    protected abstract convolve(x: Tensor): Tensor;

    /** Images may come without the batch dimension. */
    forward(x: Tensor): Tensor {
        requireTensor('forward', x);
        const rank = this.weight.rank;
        if (x.rank === rank - 1 && x.shape[0] === this.inChannels)
            return squeeze(this.convolve(unsqueeze(x, 0)), 0);
        if (x.rank !== rank || x.shape[1] !== this.inChannels) {
            const places = rank === 4 ? 'H, W' : 'L';
            throw this.shapeError(`[N, ${this.inChannels}, ${places}]`, x.shape, this.hint(x.shape));
        }
        return this.convolve(x);
    }

    private hint(shape: Shape): string {
        const rank = this.weight.rank;
        if (shape.length === rank - 1 && this.inChannels === 1)
            return 'is the channel dimension missing? x.unsqueeze(1) adds it';
        if (shape.length === rank && shape[rank - 1] === this.inChannels)
            return 'channels come second: x.permute([0, 3, 1, 2]) brings them there';
        if (shape.length === rank)
            return `make inChannels ${shape[1] ?? 1}, or the layer before give ${this.inChannels}`;
        return shape.length === 2 ? 'a convolution before Flatten sees images' : '';
    }

    override describe(): string {
        const { groups, bias, ...rest } = this.options;
        const own = { ...rest, ...(groups === 1 ? {} : { groups }), ...(bias === false ? { bias } : {}) };
        const window = typeof this.kernelSize === 'number' ? this.kernelSize : shapeText(this.kernelSize);
        return `${this.inChannels}, ${this.outChannels}, ${window}${describeOptions(own)}`;
    }
}

/**
 * Convolution (cross-correlation) of images: x [N, C, H, W] or [C, H, W], weight [O, C / groups, kH, kW], bias [O] ->
 * [N, O, H', W'] with H' = floor((H + 2 padding - dilation (kH - 1) - 1) / stride) + 1. Weight and bias start uniform in
 * [-b, b], b = 1 / sqrt(C / groups kH kW), as in PyTorch.
 *
 * @throws RangeError that names the layer when the channels do not fit.
 * @example
 * import { nn, zeros } from 'nativegrad';
 * const layer = new nn.Conv2d(1, 32, 3, { padding: 1 });
 * console.log(layer.forward(zeros([8, 1, 28, 28])).shape); // [8, 32, 28, 28]
 */
export class Conv2d extends Convolution {
    constructor(
        inChannels: number,
        outChannels: number,
        kernelSize: Pair,
        override readonly options: Conv2dOptions = {},
    ) {
        super(inChannels, outChannels, kernelSize, options, 2);
    }

    protected override convolve(x: Tensor): Tensor {
        return conv2d(x, this.weight, this.bias, this.options);
    }
}

/** Convolution of sequences: x [N, C, L] or [C, L], weight [O, C / groups, k], bias [O] -> [N, O, L']. */
export class Conv1d extends Convolution {
    constructor(
        inChannels: number,
        outChannels: number,
        kernelSize: number,
        override readonly options: Conv1dOptions = {},
    ) {
        super(inChannels, outChannels, kernelSize, options, 1);
    }

    protected override convolve(x: Tensor): Tensor {
        return conv1d(x, this.weight, this.bias, this.options);
    }
}

/**
 * Transposed convolution, which enlarges images: x [N, C, H, W] or [C, H, W], weight [C, O / groups, kH, kW], bias [O] ->
 * [N, O, H', W'] with H' = (H - 1) stride - 2 padding + dilation (kH - 1) + outputPadding + 1.
 *
 * @example
 * import { nn, zeros } from 'nativegrad';
 * const layer = new nn.ConvTranspose2d(8, 4, 2, { stride: 2 });
 * console.log(layer.forward(zeros([1, 8, 7, 7])).shape); // [1, 4, 14, 14]
 */
export class ConvTranspose2d extends Convolution {
    constructor(
        inChannels: number,
        outChannels: number,
        kernelSize: Pair,
        override readonly options: ConvTranspose2dOptions = {},
    ) {
        super(inChannels, outChannels, kernelSize, options, 2, true);
    }

    protected override convolve(x: Tensor): Tensor {
        return convTranspose2d(x, this.weight, this.bias, this.options);
    }

    /** Here each pixel of the input meets the kernel. */
    override positions(input: Tensor): number {
        return input.size / this.inChannels;
    }
}
