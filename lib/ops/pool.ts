import { defineOp } from '../autograd/define_op.js';
import { run } from '../native/call.js';
import { shapeText, type Shape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { requireFloat, requireTensor } from './convert.js';
import { runNew } from './kernels.js';
import { installMethods } from './methods.js';
import { listParameters, pairOf, type Pair, type Two } from './pair.js';

export interface PoolOptions {
    /** Pixels from one window to the next; default: the kernel size, so that windows tile the image. */
    readonly stride?: Pair;
    /** Pixels around the image that windows may cover; at most half the kernel; default 0. */
    readonly padding?: Pair;
    /** Windows that begin inside the image or its padding count even where they reach beyond; default false. */
    readonly ceilMode?: boolean;
}

export interface MaxPoolOptions extends PoolOptions {
    /** Pixels from one window element to the next; default 1. */
    readonly dilation?: Pair;
}

export interface WindowGeometry {
    readonly kernel: Two;
    readonly stride: Two;
    readonly padding: Two;
    readonly dilation: Two;
}

export function requireImages(op: string, x: Tensor): void {
    requireTensor(op, x);
    requireFloat(op, x);
    if (x.rank !== 4) {
        throw new RangeError(
            `[${op}] expects an input [N, C, H, W], got ${shapeText(x.shape)}; add a batch dimension with unsqueeze(0)`,
        );
    }
}

export function windowGeometry(op: string, kernelSize: Pair, options: MaxPoolOptions): WindowGeometry {
    const kernel = pairOf(op, 'kernelSize', kernelSize, 1);
    const padding = pairOf(op, 'padding', options.padding ?? 0, 0);
    if (padding.some((value, axis) => 2 * value > (kernel[axis] ?? 1))) {
        throw new RangeError(
            `[${op}] padding ${shapeText(padding)} is more than half of the kernel ${shapeText(kernel)}: a window could ` +
                'hold nothing but padding',
        );
    }
    return {
        kernel,
        stride: pairOf(op, 'stride', options.stride ?? kernelSize, 1),
        padding,
        dilation: pairOf(op, 'dilation', options.dilation ?? 1, 1),
    };
}

/** Number of windows along each axis; with `ceil`, none that begins behind the image and its padding before. */
export function pooledSize(op: string, x: Tensor, windows: WindowGeometry, ceil: boolean): number[] {
    return [0, 1].map((axis) => {
        const size = x.shape[2 + axis] ?? 0;
        const padding = windows.padding[axis] ?? 0;
        const stride = windows.stride[axis] ?? 1;
        const reach = (windows.dilation[axis] ?? 1) * ((windows.kernel[axis] ?? 1) - 1) + 1;
        const room = size + 2 * padding - reach;
        let count = Math.floor((room + (ceil ? stride - 1 : 0)) / stride) + 1;
        if (ceil && (count - 1) * stride >= size + padding) count--;
        if (count < 1) {
            throw new RangeError(
                `[${op}] a window spans ${reach} pixels and the padded input has ${size + 2 * padding} along axis ` +
                    `${2 + axis}: input ${shapeText(x.shape)}, kernel ${shapeText(windows.kernel)}; use a smaller kernel`,
            );
        }
        return count;
    });
}

function parameters({ kernel, stride, padding, dilation }: WindowGeometry): number[] {
    return listParameters(kernel, stride, padding, dilation);
}

interface MaxPoolSettings extends WindowGeometry {
    readonly shape: Shape;
}

// x [N, C, H, W] -> y [N, C, H', W']; saves for each the position of the maximum in its window
const maxPool2dOp = defineOp<readonly [Tensor], MaxPoolSettings>({
    name: 'max_pool2d',
    forward: (context, [x], settings) => {
        const y = new Tensor(settings.shape, x.dtype);
        const small = settings.kernel[0] * settings.kernel[1] <= 255;
        const index = new Tensor(settings.shape, small ? 'uint8' : 'int32');
        run('max_pool2d', [x], [y, index], parameters(settings));
        if (context.recording) context.save(index);
        else index.dispose();
        return y;
    },
    backward: (dy, { saved, options, shapes: [shape = []] }) => {
        const [index] = saved as [Tensor];
        return [runNew('max_pool2d_backward', [dy, index], shape, dy.dtype, parameters(options))];
    },
});

/**
 * Largest element of each window: y[n, c, i, j] = max over r, s of x[n, c, i stride + r dilation - padding, ...].
 * The gradient goes to the first of equal maxima; NaN counts as the largest.
 *
 * x [N, C, H, W] -> [N, C, H', W'], H' = floor((H + 2 padding - dilation (k - 1) - 1) / stride) + 1 (ceil with
 * `ceilMode`). Float dtypes.
 *
 * @throws RangeError when a window does not fit into the image or the padding exceeds half the kernel.
 * @example
 * import { maxPool2d, tensor } from 'nativegrad';
 * console.log(maxPool2d(tensor([[[[1, 2], [3, 4]]]]), 2).item()); // 4
 */
export function maxPool2d(x: Tensor, kernelSize: Pair, options: MaxPoolOptions = {}): Tensor {
    requireImages('max_pool2d', x);
    const windows = windowGeometry('max_pool2d', kernelSize, options);
    const size = pooledSize('max_pool2d', x, windows, options.ceilMode ?? false);
    return maxPool2dOp([x], { ...windows, shape: [x.shape[0] ?? 0, x.shape[1] ?? 0, ...size] });
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        maxPool2d(kernelSize: Pair, options?: MaxPoolOptions): Tensor;
    }
}

installMethods({ maxPool2d });
