import { describeValue } from '../support/describe_value.js';
import { isFloat, type DType } from '../tensor/dtype.js';

/** The dtypes of mixed precision. */
export type LowPrecision = 'bfloat16' | 'float16';

let active: LowPrecision | null = null;

/** The dtype in which products are computed now, or null outside `autocast`. */
export function autocastDtype(): LowPrecision | null {
    return active;
}

/** @internal Sets the dtype of `autocast` and gives what it was; whoever calls brings that back. */
export function exchangeAutocast(dtype: LowPrecision | null): LowPrecision | null {
    const before = active;
    active = dtype;
    return before;
}

function within<T>(dtype: LowPrecision | null, body: () => T): T {
    const before = exchangeAutocast(dtype);
    try {
        const result = body();
        if (result instanceof Promise)
            throw new TypeError('[autocast] takes a synchronous function, got one that returns a promise');
        return result;
    } finally {
        exchangeAutocast(before);
    }
}

/**
 * Runs `body` in mixed precision: products (`matmul`, `linear`, convolutions, `einsum`, attention) take float32 operands in
 * `dtype` and give results in it, accumulating in float32. Such results are taken in float32, and give float32, by what may
 * leave the range of float16 or adds many terms: losses; `sum`, `mean`, `prod`, `cumsum`, `variance`, `std`, `norm`,
 * `logsumexp`; `pow`, `square`, `exp`, `expm1`, `log`, `log1p`, `log2`, `rsqrt`, `reciprocal`, `tan`, `softplus`, a number
 * divided by a tensor; `softmax`, `logSoftmax`, `layerNorm`, `groupNorm`. All else computes in the dtype that it gets: sums
 * and differences, activations, pooling, batch norm (whose statistics are float32), the softmax inside attention. Methods that
 * write in place keep the dtype of their tensor. Parameters stay float32, and so do their gradients and the optimizer. Backward
 * runs in the dtypes of forward, inside or outside of `autocast`. `null` switches it off inside another one.
 *
 * bfloat16 has float32's range with 8 bits of precision; float16 has 11 bits but ends at 65504 and has nothing below 6e-8, so
 * that it needs a scaled loss: `optim.GradScaler`. On the CPU float16 is slower than float32.
 *
 * Source: Micikevicius et al., "Mixed precision training", ICLR 2018; the lists are PyTorch's for CUDA,
 * on every device, and with `mean`, `variance`, `std` and `logsumexp` beside `sum`.
 *
 * @throws TypeError for another dtype, or for a function that returns a promise.
 * @example
 * import { autocast, nn, ones } from 'nativegrad';
 * const layer = new nn.Linear(4, 2);
 * const y = autocast('bfloat16', () => layer.forward(ones([3, 4])));
 * y.sum().backward();
 * console.log(y.dtype, layer.weight.grad?.dtype); // bfloat16 float32
 */
export function autocast<T>(dtype: LowPrecision | null, body: () => T): T {
    const given: unknown = dtype;
    if (given !== null && given !== 'bfloat16' && given !== 'float16')
        throw new TypeError(
            `[autocast] the dtype must be bfloat16, float16 or null, got ${describeValue(given)}`,
        );
    if (typeof body !== 'function')
        throw new TypeError(`[autocast] expected a function to run, got ${describeValue(body)}`);
    return within(dtype, body);
}

/** True for a dtype that products turn into the low one. */
export function isAutocastable(dtype: DType): boolean {
    return active !== null && isFloat(dtype) && dtype !== 'float64' && dtype !== active;
}
