import { fromTypedArray, noGrad, zeros, type DType, type Tensor } from '../../lib/index.js';
import { isFloat } from '../../lib/tensor/dtype.js';
import { sizeOf } from '../../lib/tensor/shape.js';
import { seededUniform, seedOf } from '../support/seeded.js';
import type { InputSpec, NdArray, OpSample, Values } from './sample.js';

function shuffled(count: number, uniform: () => number): number[] {
    const order = Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
        const j = Math.floor(uniform() * (i + 1));
        [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
    }
    return order;
}

/** One drawing function per word of `Values`, for floats. */
function drawFloats(values: Values, count: number, uniform: () => number): number[] {
    const each = (draw: (i: number) => number): number[] => Array.from({ length: count }, (_, i) => draw(i));
    if (Array.isArray(values)) return each((i) => (values as readonly number[])[i % values.length] ?? 0);
    if (typeof values === 'object' && 'index' in values)
        return each(() => Math.floor(uniform() * values.index));
    switch (values) {
        case 'positive':
            return each(() => 0.5 + 1.5 * uniform());
        case 'unit':
            return each(() => 0.05 + 0.9 * uniform());
        case 'bool':
            return each(() => (uniform() < 0.5 ? 0 : 1));
        case 'distinct':
            return shuffled(count, uniform).map((rank) => (rank - (count - 1) / 2) / 8);
        default:
            return each(() => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()));
    }
}

function drawIntegers(values: Values, count: number, dtype: DType, uniform: () => number): number[] {
    const floats = drawFloats(values, count, uniform);
    switch (values) {
        case 'positive':
            return floats.map((value) => Math.floor(value * 3));
        case 'unit':
            return floats.map((value) => (value < 0.5 ? 0 : 1));
        case 'distinct':
            return floats.map((value) => value * 8 + (count - 1) / 2);
        case 'normal': {
            const whole = floats.map((value) => Math.max(-12, Math.min(12, Math.trunc(value * 4))));
            if (dtype === 'bool') return whole.map((value) => (value > 0 ? 1 : 0));
            return dtype === 'uint8' ? whole.map(Math.abs) : whole;
        }
        default:
            return floats.map(Math.trunc);
    }
}

/** The numbers of an input, before they are rounded to its dtype. */
function draw(spec: InputSpec, dtype: DType, seed: string): NdArray {
    const uniform = seededUniform(seedOf(seed));
    const count = sizeOf(spec.shape);
    const values = spec.values ?? 'normal';
    // Large inputs repeat what was drawn, but for permutations.
    const drawn = values === 'distinct' ? count : Math.min(count, 4099);
    const numbers = isFloat(dtype)
        ? drawFloats(values, drawn, uniform)
        : drawIntegers(values, drawn, dtype, uniform);
    return {
        shape: spec.shape,
        data: Float64Array.from({ length: count }, (_, i) => numbers[i % drawn] ?? 0),
    };
}

export function seedText(sample: OpSample, index: number): string {
    return `${sample.op} ${sample.title ?? ''} ${index}`;
}

/** The same specs with other shapes. */
export function withShapes(sample: OpSample, shapes: readonly (readonly number[])[]): OpSample {
    return {
        ...sample,
        inputs: sample.inputs.map((spec, i) => ({ ...spec, shape: shapes[i] ?? spec.shape })),
    };
}

/** Row-major inputs in `dtype`, the values rounded to it. */
export function makeInputs(sample: OpSample, dtype: DType): Tensor[] {
    return sample.inputs.map((spec, index) => {
        const own = spec.dtype ?? dtype;
        const { shape, data } = draw(spec, own, seedText(sample, index));
        return fromTypedArray(data, shape, { dtype: own });
    });
}

/** The values of `inputs` in float64, but for those that have a dtype of their own. */
export function widened(sample: OpSample, inputs: readonly Tensor[], dtype: DType = 'float64'): Tensor[] {
    return inputs.map((x, index) => (sample.inputs[index]?.dtype === undefined ? x.to(dtype) : x));
}

export function toNdArray(x: Tensor): NdArray {
    return { shape: x.shape, data: Float64Array.from(x.dataSync(), Number) };
}

/** Ways to lay the elements of an input out otherwise; each returns a tensor equal to its argument, or null. */
export const layouts: Readonly<Record<string, (x: Tensor) => Tensor | null>> = {
    transposed: (x) => {
        if (x.rank < 2) return null;
        return x.transpose(0, -1).contiguous().transpose(0, -1);
    },
    'sliced with an offset': (x) => {
        if (x.rank === 0) return null;
        const wide = zeros(
            x.shape.map((size) => 2 * size + 1),
            { dtype: x.dtype },
        );
        let view = wide;
        x.shape.forEach((size, axis) => {
            view = view.slice(axis, 1, 1 + 2 * size, 2);
        });
        return view.copy_(x);
    },
    'from an odd element': (x) => {
        if (x.rank === 0) return null;
        const last = x.rank === 4 ? x.permute(0, 2, 3, 1) : x;
        const view = zeros([x.size + 1], { dtype: x.dtype })
            .slice(0, 1, x.size + 1)
            .reshape(last.shape)
            .copy_(last);
        return x.rank === 4 ? view.permute(0, 3, 1, 2) : view;
    },
};

/** The first row of each input, repeated: expanded (strides 0) and as a copy with the same elements. */
export function expandedInputs(inputs: readonly Tensor[]): { views: Tensor[]; copies: Tensor[] } {
    const views = inputs.map((x) => {
        const size = x.shape[0] ?? 0;
        return size > 1 ? x.slice(0, 0, 1).expand(x.shape) : x;
    });
    return { views, copies: views.map((x) => noGrad(() => x.clone().contiguous())) };
}
