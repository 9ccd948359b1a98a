import type { DType, Tensor } from '../../lib/index.js';

/** A plain float64 array with a shape, for references that share no code with the library. */
export interface NdArray {
    readonly shape: readonly number[];
    readonly data: Float64Array;
}

/**
 * How the elements of an input are drawn (seeded): by default from the normal distribution. For integer dtypes the same
 * word gives small integers: normal -12..12 (uint8: 0..12), positive 1..6, unit 0..1, distinct 0..n-1.
 */
export type Values =
    | 'normal'
    | 'positive' // uniform in [0.5, 2]
    | 'unit' // uniform in [0.05, 0.95]
    | 'distinct' // a shuffle of evenly spaced numbers around 0, so that maxima and sorts have no ties
    | 'bool' // 0 and 1
    | { readonly index: number } // integers in [0, index)
    | readonly number[]; // these, in row-major order, repeated as needed

export interface InputSpec {
    readonly shape: readonly number[];
    readonly values?: Values;
    /** A fixed dtype for operands that do not follow the sample's (indices: int64, masks: bool). */
    readonly dtype?: DType;
    /** False for inputs without a gradient; default: true for inputs that follow the sample's dtype. */
    readonly differentiable?: boolean;
}

/**
 * One row of the sample table. From it the driver derives: forward in float64 against `reference`, every other dtype
 * against float64 within the dtype's tolerance, every instruction set, one and two threads with equal bits,
 * finite-difference gradients in float64, transposed, sliced and expanded inputs, freshly allocated memory filled with
 * NaN, zero sizes, and wrong inputs.
 */
export interface OpSample {
    /** The op's stem, the same in every layer (snake_case). */
    readonly op: string;
    /** Distinguishes several rows of one op. */
    readonly title?: string;
    /** Further stems that this row runs and checks: kernels of the backward pass that have another name. */
    readonly covers?: readonly string[];
    readonly inputs: readonly InputSpec[];
    run(...inputs: Tensor[]): Tensor | readonly Tensor[];
    /** Independent float64 result; of the first output where there are several. Omitted only where golden_ops covers it. */
    reference?(...inputs: NdArray[]): NdArray;
    /** Dtypes that the op takes; default: the four floats. Without a float64 among them the first one stands in for it. */
    readonly dtypes?: readonly DType[];
    /** False for ops without a gradient; default true. */
    readonly gradient?: boolean;
    /** True when second derivatives exist and are checked. */
    readonly secondOrder?: boolean;
    /** Relative tolerance in float32 where the default (1.3e-6, atol 1e-5) is too tight, with the reason. */
    readonly tolerance?: { readonly relative: number; readonly reason: string };
    /** Shapes for the same `run` on which one and two threads are compared in float32; they should fill several tasks. */
    readonly large?: readonly (readonly number[])[];
    /** Shapes with a zero size for the same `run`, where the op takes them. */
    readonly zeroSizes?: readonly (readonly (readonly number[])[])[];
    /** Calls that must throw, with a pattern of the message (which names the op, the shapes and the likely fix). */
    readonly wrong?: readonly { readonly call: () => unknown; readonly message: RegExp }[];
    /** False where results may differ for other strides by rounding, with no more than the dtype's tolerance. */
    readonly exactOnViews?: boolean;
}
