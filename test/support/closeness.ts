import assert from 'node:assert/strict';
import { isFloat, type DType } from '../../lib/tensor/dtype.js';

export interface Tolerance {
    readonly relative: number;
    readonly absolute: number;
}

/** The defaults of torch.testing.assert_close; integers and bools must be equal. */
const defaults: Partial<Record<DType, Tolerance>> = {
    float16: { relative: 1e-3, absolute: 1e-5 },
    bfloat16: { relative: 1.6e-2, absolute: 1e-5 },
    float32: { relative: 1.3e-6, absolute: 1e-5 },
    float64: { relative: 1e-7, absolute: 1e-7 },
};

export const exact: Tolerance = { relative: 0, absolute: 0 };

export function toleranceOf(dtype: DType): Tolerance {
    return defaults[dtype] ?? exact;
}

/** The wider of the two in each part. */
export function widen(a: Tolerance, b: Tolerance): Tolerance {
    return { relative: Math.max(a.relative, b.relative), absolute: Math.max(a.absolute, b.absolute) };
}

/** Plain numbers with a shape and the dtype that they were computed in. */
export interface Values {
    readonly shape: readonly number[];
    readonly data: ArrayLike<number>;
    readonly dtype: DType;
}

/** Fails with the worst element unless |actual - expected| <= absolute + relative |expected|. NaN equals NaN. */
export function assertClose(
    actual: Values,
    expected: Pick<Values, 'shape' | 'data'>,
    { relative, absolute }: Tolerance,
    what: string,
): void {
    assert.deepEqual([...actual.shape], [...expected.shape], `${what}: shape`);
    assert.equal(actual.data.length, expected.data.length, `${what}: number of elements`);
    let worst: { index: number; excess: number } | null = null;
    let failures = 0;
    for (let i = 0; i < expected.data.length; i++) {
        const [a, e] = [actual.data[i], expected.data[i]];
        if (a === e || (Number.isNaN(a) && Number.isNaN(e))) continue;
        const excess = Math.abs(a - e) - absolute - relative * Math.abs(e);
        if (excess <= 0) continue;
        failures++;
        const size = Number.isNaN(excess) ? Infinity : excess;
        if (worst === null || size > worst.excess) worst = { index: i, excess: size };
    }
    if (worst === null) return;
    const [a, e] = [actual.data[worst.index], expected.data[worst.index]];
    assert.fail(
        `${what}: ${failures} of ${expected.data.length} elements differ; worst at ${worst.index}: ` +
            `got ${a}, expected ${e} (${isFloat(actual.dtype) ? `relative ${relative}, absolute ${absolute}` : 'exact'})`,
    );
}
