import assert from 'node:assert/strict';

import { grad, scope, Tensor, type DType } from '../../lib/index.js';
import { readGoldenOps, type GoldenRow } from '../support/golden.js';
import { checkTensor, toTensor, upstream, type Tolerance } from '../support/golden_tensors.js';
import type { GoldenOperand } from './golden_calls/call.js';
import { goldenCalls } from './golden_calls/index.js';
import { PENDING } from './golden_calls/pending.js';
import { runWrong } from './sample_checks.js';

/** float64 against PyTorch's float64; float32 against PyTorch's float64 at inputs that both can hold. */
const TOLERANCES: readonly (readonly [DType, Tolerance])[] = [
    // PyTorch's own cancellation leaves up to 3e-14 where the gradient is 0 (layer norm over one element).
    ['float64', { relative: 1e-11, absolute: 1e-13 }],
    ['float32', { relative: 2e-5, absolute: 1e-5 }],
];

function operandsOf(row: GoldenRow, dtype: DType): GoldenOperand[] {
    return row.inputs.map((input, i) => {
        if (input === null) return null;
        if ('scalar' in input) return input.scalar;
        return toTensor(input, { dtype, requiresGrad: Boolean(row.grads?.[i]) });
    });
}

function checkGradients(
    row: GoldenRow,
    operands: readonly GoldenOperand[],
    outputs: readonly Tensor[],
    check: { op: string; dtype: DType; tolerance: Tolerance },
): void {
    const recorded = outputs.filter((y) => y.requiresGrad);
    const leaves = operands.filter((x): x is Tensor => x !== null && typeof x !== 'number' && x.requiresGrad);
    const gradients = recorded.map((y) => upstream(y.shape, y.dtype));
    const found = grad(recorded, leaves, { gradients });
    const expected = (row.grads ?? []).filter((gradient) => gradient !== null);
    assert.equal(found.length, expected.length, 'number of gradients');
    found.forEach((dx, i) => {
        assert.ok(dx, `gradient ${i} is missing`);
        checkTensor(`gradient ${i}`, dx, expected[i], check);
    });
}

function checkRow(row: GoldenRow, dtype: DType, tolerance: Tolerance): void {
    const call = goldenCalls[row.op];
    const operands = operandsOf(row, dtype);
    const run = (): Tensor | readonly Tensor[] => call(operands, row.options ?? {});
    if (row.error) {
        assert.throws(
            () => runWrong(run),
            (error) => error instanceof Error && error.message.startsWith('['),
        );
        return;
    }
    const result = run();
    const outputs: readonly Tensor[] = result instanceof Tensor ? [result] : result;
    const expected = row.outputs ?? [];
    assert.equal(outputs.length, expected.length, 'number of outputs');
    const check = { op: row.op, dtype, tolerance };
    outputs.forEach((y, k) => checkTensor(`output ${k}`, y, expected[k], check));
    if (row.grads?.some((gradient) => gradient !== null)) checkGradients(row, operands, outputs, check);
}

const isTable = (row: GoldenRow): boolean => row.outputs?.[0]?.dtype === 'string';
const hasFloat64 = (row: GoldenRow): boolean =>
    row.inputs.some((input) => input !== null && 'dtype' in input && input.dtype === 'float64');

describe('golden ops of PyTorch', () => {
    const rows = readGoldenOps().filter((row) => !isTable(row));

    it('has a call for every op of the file', () => {
        const missing = new Set(rows.map((row) => row.op).filter((op) => !(op in goldenCalls)));
        assert.deepEqual([...missing].sort(), [...PENDING].sort());
    });

    for (const [dtype, tolerance] of TOLERANCES) {
        describe(dtype, () => {
            for (const row of rows) {
                if (!(row.op in goldenCalls)) continue;
                if (dtype === 'float32' && (!hasFloat64(row) || row.op === 'cast')) continue;
                it(`${row.op}: ${row.case}`, () => scope(() => checkRow(row, dtype, tolerance)));
            }
        });
    }
});
