import { autocastDtype, isAutocastable } from '../autograd/autocast.js';
import { Tensor } from '../tensor/tensor.js';
import { cast } from './convert.js';

/** @internal An operand of a product, in the dtype of `autocast` where that is on. */
export function lowPrecision<T extends Tensor | null>(x: T): T {
    const dtype = autocastDtype();
    if (dtype === null || !(x instanceof Tensor) || !isAutocastable(x.dtype)) return x;
    return cast(x, dtype) as T;
}

/** @internal What a loss computes with: float32 in place of shorter floats, where `autocast` is on. */
export function fullPrecision(x: Tensor): Tensor {
    const isShort = x instanceof Tensor && (x.dtype === 'bfloat16' || x.dtype === 'float16');
    return autocastDtype() !== null && isShort ? cast(x, 'float32') : x;
}
