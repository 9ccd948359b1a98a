import { autocastDtype, isAutocastable } from '../autograd/autocast.js';
import { Tensor } from '../tensor/tensor.js';
import { cast } from './convert.js';
import type { Operand } from './kernels.js';

/** @internal An operand of a product, in the dtype of `autocast` where that is on. */
export function lowPrecision<T extends Tensor | null>(x: T): T {
    const dtype = autocastDtype();
    if (dtype === null || !(x instanceof Tensor) || !isAutocastable(x.dtype)) return x;
    return cast(x, dtype) as T;
}

/**
 * @internal What losses, sums, norms, powers and exponentials compute with: float32 in place of shorter floats, where
 * `autocast` is on.
 */
export function fullPrecision<T extends Operand>(x: T): T {
    if (autocastDtype() === null || !(x instanceof Tensor)) return x;
    const isShort = x.dtype === 'bfloat16' || x.dtype === 'float16';
    return isShort ? (cast(x, 'float32') as T) : x;
}
