import type { DType } from '../tensor/dtype.js';
import { shapeText } from '../tensor/shape.js';
import type { Tensor, TensorData } from '../tensor/tensor.js';

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

/** What single calls and fused calls have computed; `before` where they changed a tensor. */
export interface Computed {
    readonly exact: Tensor;
    readonly fused: Tensor;
    readonly before?: Tensor | undefined;
}

export interface RoundingOptions {
    /**
     * They are measured by the largest of all of them, as written vectors always are: a gradient of nothing but rounding, and
     * its averages, are small beside the others.
     */
    readonly together?: boolean;
    /** What the tensors were computed by way of. */
    readonly dtypes?: Iterable<DType>;
}

function magnitudeOf(data: TensorData): number {
    let largest = 0;
    for (let i = 0; i < data.length; i++) {
        const magnitude = Math.abs(Number(data[i]));
        if (magnitude > largest && magnitude < Infinity) largest = magnitude;
    }
    return largest;
}

/** 0 where both are the same, or NaN; Infinity where only one is. */
function distance(a: number, b: number): number {
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return 0;
    const result = Math.abs(a - b);
    return Number.isNaN(result) ? Infinity : result;
}

/**
 * The largest difference that rounding does not explain, or 0. Adam divides by the root of a gradient's square: where a
 * gradient is nothing but rounding (a bias in front of batch norm), its step is all rounding as well. So written vectors, and
 * a few elements of written matrices, may be off by some times what they have moved.
 */
function unexplained({ exact, fused, before }: Computed, allowed: number): number {
    const [wanted, got, old] = [exact.dataSync(), fused.dataSync(), before?.dataSync()];
    let [largest, beyond, move] = [0, 0, 0];
    for (let i = 0; i < wanted.length; i++) {
        const off = distance(Number(wanted[i]), Number(got[i]));
        if (off > allowed) beyond++;
        largest = Math.max(largest, off);
        if (old) move = Math.max(move, distance(Number(wanted[i]), Number(old[i])));
    }
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

/**
 * Says where fused calls are off by more than rounding; undefined where they are not. `what` names the tensors.
 */
export function roundingDifference(
    what: string,
    tensors: readonly Computed[],
    { together = false, dtypes = [] }: RoundingOptions = {},
): string | undefined {
    const magnitudes = tensors.map(({ exact }) => magnitudeOf(exact.dataSync()));
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
    }
    return undefined;
}
