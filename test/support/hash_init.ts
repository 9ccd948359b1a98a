/** The 32-bit finalizer that `scripts/reference/reference_models.py` uses as well. */
export function mix32(value: number): number {
    let x = value >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    return (x ^ (x >>> 16)) >>> 0;
}

/**
 * Initial weights that Python and TypeScript compute alike: uniform in [-1/sqrt(fanIn), 1/sqrt(fanIn)],
 * element i from the hash of (tensorIndex, i), rounded to float32 once.
 */
export function hashUniform(tensorIndex: number, count: number, fanIn: number): Float32Array {
    const key = mix32(tensorIndex + 1);
    const bound = 1 / Math.sqrt(fanIn);
    return Float32Array.from({ length: count }, (_, i) => ((mix32(key + i) + 0.5) / 2 ** 31 - 1) * bound);
}
