import assert from 'node:assert/strict';

import { fromTypedArray, type DType, type Tensor } from '../../lib/index.js';
import { goldenNumbers, type GoldenTensor } from './golden.js';

/** Integers that PyTorch returns as int64 and this library as int32 (ARCHITECTURE.md: index results are int32). */
const INDEX_RESULTS = new Set(['argmax', 'argmin', 'sort', 'topk', 'nonzero']);

/** A tensor of the file in its own dtype, or in `dtype` where it is float64. */
export function toTensor(
    golden: GoldenTensor,
    { dtype, requiresGrad = false }: { dtype?: DType; requiresGrad?: boolean } = {},
): Tensor {
    const own = golden.dtype as DType;
    const wanted = own === 'float64' ? (dtype ?? own) : own;
    const numbers = goldenNumbers(golden);
    if (wanted === 'int64') return fromTypedArray(BigInt64Array.from(numbers, BigInt), golden.shape);
    return fromTypedArray(Float64Array.from(numbers), golden.shape, { dtype: wanted, requiresGrad });
}

/** The gradient that flows into output element i, as in scripts/reference/golden_case.py. */
export function upstream(shape: readonly number[], dtype: DType): Tensor {
    const count = shape.reduce((product, size) => product * size, 1);
    const values = Float64Array.from({ length: count }, (_, i) => (((7 * i + 3) % 11) - 5.5) / 4);
    return fromTypedArray(values, shape, { dtype });
}

export interface Tolerance {
    readonly relative: number;
    readonly absolute: number;
}

function closeEnough(actual: number, expected: number, { relative, absolute }: Tolerance): boolean {
    if (Number.isNaN(expected)) return Number.isNaN(actual);
    if (!Number.isFinite(expected) || !Number.isFinite(actual)) return actual === expected;
    if (expected === 0 && actual === 0) return true;
    return Math.abs(actual - expected) <= absolute + relative * Math.abs(expected);
}

function expectedDtype(op: string, golden: GoldenTensor, dtype: DType): string {
    if (golden.dtype === 'float64') return dtype;
    return golden.dtype === 'int64' && INDEX_RESULTS.has(op) ? 'int32' : golden.dtype;
}

/** Checks shape, dtype and every element; `dtype` is what float64 of the file was computed in. */
export function checkTensor(
    what: string,
    actual: Tensor,
    golden: GoldenTensor,
    check: { op: string; dtype: DType; tolerance: Tolerance },
): void {
    assert.deepEqual([...actual.shape], [...golden.shape], `${what}: shape`);
    assert.equal(actual.dtype, expectedDtype(check.op, golden, check.dtype), `${what}: dtype`);
    const expected = goldenNumbers(golden);
    const found = Array.from(actual.dataSync(), Number);
    const wrong = found.findIndex((value, i) => !closeEnough(value, expected[i], check.tolerance));
    if (wrong < 0) return;
    assert.fail(
        `${what}: element ${wrong} is ${found[wrong]}, PyTorch has ${expected[wrong]}\n` +
            `  ours    ${found.slice(0, 12).join(', ')}\n  PyTorch ${expected.slice(0, 12).join(', ')}`,
    );
}
