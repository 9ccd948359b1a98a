import { defineOp } from '../autograd/define_op.js';
import { normalizeAxis, shapeText } from '../tensor/shape.js';
import { viewOf, type Tensor } from '../tensor/tensor.js';
import { requireTensor } from './convert.js';
import { fromTypedArray } from './create.js';
import { movedim } from './arrange.js';
import { addSlices } from './gather.js';
import { installMethods } from './methods.js';
import { pad } from './pad.js';
import { pairOf, type Pair } from './pair.js';
import { permute, reshape } from './shape_ops.js';

interface WindowOptions {
    readonly axis: number;
    /** Elements of a window, and the distances between them and between windows. */
    readonly size: number;
    readonly dilation: number;
    readonly step: number;
}

/** Number of windows along an axis of `length`; less than 1 when not even one fits. */
function windowCount(length: number, { size, dilation, step }: WindowOptions): number {
    return Math.floor((length - (size - 1) * dilation - 1) / step) + 1;
}

const unfoldOp = defineOp<readonly [Tensor], WindowOptions>({
    name: 'unfold',
    forward: (_, [x], options) => {
        const { axis, size, dilation, step } = options;
        const count = windowCount(x.shape[axis] ?? 0, options);
        const stride = x.strides[axis] ?? 1;
        return viewOf(
            x,
            [...x.shape.map((own, i) => (i === axis ? count : own)), size],
            [...x.strides.map((own, i) => (i === axis ? own * step : own)), stride * dilation],
        );
    },
    // Windows may overlap: what came from one place is summed there.
    backward: (dy, { options: { axis, size, dilation, step }, shapes: [shape = []] }) => {
        const count = dy.shape[axis] ?? 0;
        const places = Int32Array.from(
            { length: count * size },
            (_, i) => Math.floor(i / size) * step + (i % size) * dilation,
        );
        const joined = reshape(movedim(dy, -1, axis + 1), [
            ...shape.slice(0, axis),
            count * size,
            ...shape.slice(axis + 1),
        ]);
        const index = fromTypedArray(places, [places.length], { device: dy.device });
        return [addSlices(joined, index, shape[axis] ?? 0, { axis, skip: -1, label: 'unfold' })];
    },
    differentiable: true,
});

function requireWindow(op: string, x: Tensor, options: WindowOptions): void {
    const { axis, size, dilation, step } = options;
    if ([size, dilation, step].some((n) => !Number.isInteger(n) || n < 1)) {
        throw new RangeError(
            `[${op}] size, step and dilation must be positive integers, got ${size}, ${step}, ${dilation}`,
        );
    }
    if (windowCount(x.shape[axis] ?? 0, options) < 1) {
        throw new RangeError(
            `[${op}] a window of ${(size - 1) * dilation + 1} does not fit into axis ${axis} of shape ${shapeText(x.shape)}`,
        );
    }
}

/**
 * Windows of `size` along an axis, one every `step` elements, as a new last axis; a view in which elements may be shared.
 *
 * Shapes: x [.., D, ..] -> [.., n, .., size] with n = floor((D - size) / step) + 1.
 *
 * @example
 * import { arange } from 'nativegrad';
 * console.log(arange(5).unfold(0, 3, 2).toArray()); // [[0, 1, 2], [2, 3, 4]]
 */
export function unfold(x: Tensor, axis: number, size: number, step = 1): Tensor {
    requireTensor('unfold', x);
    const options = { axis: normalizeAxis('unfold', axis, x.rank), size, step, dilation: 1 };
    if (x.rank === 0) throw new RangeError('[unfold] a 0-d tensor has no windows');
    requireWindow('unfold', x, options);
    return unfoldOp([x], options);
}

/**
 * The patches that a convolution sees, as columns (im2col; PyTorch's nn.functional.unfold).
 *
 * Shapes: x [N, C, H, W] -> [N, C kH kW, H' W'].
 */
export function unfold2d(
    x: Tensor,
    kernelSize: Pair,
    options: { readonly stride?: Pair; readonly padding?: Pair; readonly dilation?: Pair } = {},
): Tensor {
    requireTensor('unfold2d', x);
    if (x.rank !== 4) throw new RangeError(`[unfold2d] needs images [N, C, H, W], got ${shapeText(x.shape)}`);
    const size = pairOf('unfold2d', 'kernelSize', kernelSize, 1);
    const step = pairOf('unfold2d', 'stride', options.stride ?? 1, 1);
    const [top, side] = pairOf('unfold2d', 'padding', options.padding ?? 0, 0);
    const dilation = pairOf('unfold2d', 'dilation', options.dilation ?? 1, 1);
    let y =
        top === 0 && side === 0
            ? x
            : pad(x, [
                  [top, top],
                  [side, side],
              ]);
    for (const i of [0, 1] as const) {
        const window = { axis: 2 + i, size: size[i], step: step[i], dilation: dilation[i] };
        requireWindow('unfold2d', y, window);
        y = unfoldOp([y], window);
    }
    const [n = 0, c = 0, height = 0, width = 0] = y.shape;
    return reshape(permute(y, [0, 1, 4, 5, 2, 3]), [n, c * size[0] * size[1], height * width]);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        unfold(axis: number, size: number, step?: number): Tensor;
        unfold2d(
            kernelSize: Pair,
            options?: { readonly stride?: Pair; readonly padding?: Pair; readonly dilation?: Pair },
        ): Tensor;
    }
}

installMethods({ unfold, unfold2d });
