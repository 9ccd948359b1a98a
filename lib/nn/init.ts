import { runNew } from '../ops/kernels.js';
import { sizeOf, shapeText, type Shape } from '../tensor/shape.js';
import { noGrad } from '../autograd/grad_mode.js';
import { copy_ } from '../ops/in_place.js';
import type { Tensor } from '../tensor/tensor.js';

export interface InitOptions {
    readonly seed?: number;
}

let drawn = 0;

/**
 * Number of inputs and outputs that one weight connects: a weight [out, in, k...] has in * k and out * k.
 *
 * @throws RangeError for a tensor of fewer than two dimensions.
 */
export function fans(shape: Shape): { fanIn: number; fanOut: number } {
    if (shape.length < 2)
        throw new RangeError(`[init] fans need a weight of at least two dimensions, got ${shapeText(shape)}`);
    const window = sizeOf(shape.slice(2));
    return { fanIn: (shape[1] ?? 1) * window, fanOut: (shape[0] ?? 1) * window };
}

/** Overwrites x with values uniform in [low, high). */
export function uniform(x: Tensor, low = 0, high = 1): Tensor {
    const values = runNew('random', [], x.shape, x.dtype, [0, low, high, 0, drawn]);
    drawn += x.size;
    noGrad(() => copy_(x, values));
    values.dispose();
    return x;
}

/** @internal What Linear and the convolutions start from, as in PyTorch: uniform within 1 / sqrt(fan in). */
export function defaultInit(weight: Tensor, bias: Tensor | null, _options: InitOptions = {}): void {
    const { fanIn } = fans(weight.shape);
    const bound = 1 / Math.sqrt(fanIn);
    uniform(weight, -bound, bound);
    if (bias) uniform(bias, -bound, bound);
}
