import type { DType } from '../tensor/dtype.js';
import { shapeText } from '../tensor/shape.js';
import { differencesOf, magnitudeOf, type Compared } from './differences.js';

/** What sums in another order may cost, relative to the largest magnitude; dtypes that are not here must be the same. */
const bounds: Partial<Record<DType, number>> = {
    float64: 1e-10,
    float32: 1e-4,
    float16: 5e-3,
    bfloat16: 2e-2,
};

/**
 * The same for gradients and what is made of them. Where the mask of a ReLU or the pick of a max-pool is a matter of rounding,
 * a gradient takes another way in a few places, and all weights that see these are off: 2.6e-4 was seen in 90 steps of a CNN.
 */
const gradientBounds: typeof bounds = { float64: 2e-9, float32: 2e-3, float16: 2e-2, bfloat16: 5e-2 };

/** So many elements of a written matrix may differ by more than the bound. */
const amplifiedShare = 0.05;
/** And by so many times the largest move of an element. */
const amplifiedMoves = 4;

export interface RoundingOptions {
    /**
     * They are measured by the largest of all of them, as written vectors always are: a gradient of nothing but rounding, and
     * its averages, are small beside the others.
     */
    readonly together?: boolean;
    /** What the tensors were computed by way of. */
    readonly dtypes?: Iterable<DType>;
}

/**
 * The largest difference that rounding does not explain, or 0. Adam divides by the root of a gradient's square: where a
 * gradient is nothing but rounding (a bias in front of batch norm), its step is all rounding as well. So written vectors, and
 * a few elements of written matrices, may be off by some times what they have moved.
 */
function unexplained(compared: Compared, allowed: number): number {
    const { exact } = compared;
    const { largest, beyond, move } = differencesOf(compared, allowed);
    if (beyond === 0) return 0;
    const isAmplified =
        exact.dtype in bounds &&
        move < Infinity &&
        largest <= allowed + amplifiedMoves * move &&
        (exact.shape.length < 2 || beyond <= 1 + amplifiedShare * exact.size);
    return isAmplified ? 0 : largest;
}

/** What was computed by way of a coarser dtype is as coarse as that. */
function boundOf(table: typeof bounds, dtype: DType, dtypes: Iterable<DType>): number {
    const own = table[dtype] ?? 0;
    return own && Math.max(own, ...[...dtypes].map((other) => table[other] ?? 0));
}

/** As `roundingDifference`, with a pause after each tensor. */
export function* roundingDifferences(
    what: string,
    tensors: readonly Compared[],
    { together = false, dtypes = [] }: RoundingOptions = {},
): Generator<void, string | undefined> {
    const magnitudes: number[] = [];
    for (const { exact } of tensors) {
        magnitudes.push(magnitudeOf(exact));
        yield;
    }
    const isShared = tensors.map(
        ({ exact, before }) => together || (before !== undefined && exact.shape.length < 2),
    );
    const shared = Math.max(0, ...magnitudes.filter((_, i) => isShared[i]));
    for (const [i, computed] of tensors.entries()) {
        const scale = (isShared[i] ? shared : magnitudes[i]) ?? 0;
        const table = together || computed.before ? gradientBounds : bounds;
        const off = unexplained(computed, boundOf(table, computed.exact.dtype, dtypes) * scale);
        if (off > 0)
            return `${what} ${i} of shape ${shapeText(computed.exact.shape)} differs by up to ${off.toPrecision(3)}`;
        yield;
    }
    return undefined;
}

/** Says where fused calls are off by more than rounding; undefined where they are not. `what` names the tensors. */
export function roundingDifference(
    what: string,
    tensors: readonly Compared[],
    options?: RoundingOptions,
): string | undefined {
    return allAtOnce(roundingDifferences(what, tensors, options));
}

/** What work with pauses gives, without the pauses. */
export function allAtOnce<T>(parts: Generator<void, T>): T {
    for (;;) {
        const part = parts.next();
        if (part.done) return part.value;
    }
}
