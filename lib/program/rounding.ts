import type { DType } from '../tensor/dtype.js';
import { shapeText } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { distance, largestDifference, magnitudeOf } from './differences.js';
import { unexplainedUpdate, type Scale, type UpdateRole } from './update_rounding.js';

/** What sums in another order may cost, relative to the largest magnitude; other dtypes are counts, masks and places. */
const bounds: Partial<Record<DType, number>> = {
    float64: 1e-10,
    float32: 1e-4,
    float16: 5e-3,
    bfloat16: 2e-2,
};

/** A tensor that a program leaves: what the calls as recorded have made of it, and what the fused ones have. */
export interface Computed {
    readonly exact: Tensor;
    readonly fused: Tensor;
    /** Fused calls add up in another order on the way to it; others must have the same bits. */
    readonly isReordered: boolean;
    /** Of a gradient, or of a tensor that the step writes. */
    readonly update?: UpdateRole | undefined;
}

/** What was computed by way of a coarser dtype is as coarse as that. */
function boundOf(dtype: DType, dtypes: Iterable<DType>): number {
    return Math.max(bounds[dtype] ?? 0, ...[...dtypes].map((other) => bounds[other] ?? 0));
}

/** Near ties may fall the other way: a few places in a list, a count by a few. */
function unexplainedInteger({ exact, fused }: Computed, bound: number): number {
    const [wanted, got] = [exact.dataSync(), fused.dataSync()];
    let [largest, off] = [0, 0];
    for (let i = 0; i < wanted.length; i++) {
        const difference = distance(Number(wanted[i]), Number(got[i]));
        largest = Math.max(largest, difference);
        if (difference > 0) off++;
    }
    const isFew =
        exact.size > 1
            ? off <= 1 + bound * exact.size
            : exact.dtype !== 'bool' && largest <= 1 + bound * magnitudeOf(exact);
    return isFew ? 0 : largest;
}

/** The largest difference, where rounding does not explain it; else 0. */
function unexplained(computed: Computed, scale: Scale): number {
    const { exact, fused, update } = computed;
    if (!computed.isReordered) return largestDifference(exact.dataSync(), fused.dataSync());
    const bound = boundOf(exact.dtype, scale.dtypes);
    if (!(exact.dtype in bounds)) return unexplainedInteger(computed, bound);
    if (update) return unexplainedUpdate({ exact, fused, ...update }, scale, bound);
    const largest = largestDifference(exact.dataSync(), fused.dataSync());
    return largest <= bound * magnitudeOf(exact) ? 0 : largest;
}

/** Says where fused calls are off by more than they may be; a pause after each tensor. `what` names the tensors. */
export function* differencesOfFused(
    what: string,
    tensors: readonly Computed[],
    scale: Scale,
): Generator<void, string | undefined> {
    for (const [i, computed] of tensors.entries()) {
        const off = unexplained(computed, scale);
        if (off > 0)
            return `${what} ${i} of shape ${shapeText(computed.exact.shape)} differs by up to ${off.toPrecision(3)}`;
        yield;
    }
    return undefined;
}

/** What work with pauses gives, without the pauses. */
export function allAtOnce<T>(parts: Generator<void, T>): T {
    for (;;) {
        const part = parts.next();
        if (part.done) return part.value;
    }
}
