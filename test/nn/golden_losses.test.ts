import assert from 'node:assert/strict';
import { fromTypedArray, nn, tensor, type Tensor } from '../../lib/index.js';
import { goldenNumbers, readGoldenOps, type GoldenRow, type GoldenTensor } from '../support/golden.js';

function toTensor(golden: GoldenTensor): Tensor {
    const values = goldenNumbers(golden);
    if (golden.dtype === 'int64') return fromTypedArray(BigInt64Array.from(values, BigInt), golden.shape);
    return fromTypedArray(Float64Array.from(values), golden.shape);
}

type Loss = (inputs: (Tensor | null)[], options: object) => Tensor;

const losses: Record<string, Loss> = {
    cross_entropy: ([x, y, weight], options) => nn.crossEntropy(x!, y!, { weight, ...options }),
};

/** Gradient into element i of the loss, as golden_ops.py has it. */
function upstream(y: Tensor): Tensor {
    const values = Float64Array.from({ length: y.size }, (_, i) => (((7 * i + 3) % 11) - 5.5) / 4);
    return fromTypedArray(values, y.shape);
}

function assertClose(got: Tensor, want: GoldenTensor, what: string): void {
    assert.deepEqual(got.shape, want.shape, what);
    goldenNumbers(want).forEach((value, i) => {
        const own = Number(got.dataSync()[i]);
        const close = Math.abs(own - value) <= 1e-13 + 1e-12 * Math.abs(value);
        assert.ok(close || Object.is(own, value) || own === value, `${what}[${i}]: ${own}, PyTorch ${value}`);
    });
}

function check(row: GoldenRow): void {
    const inputs = row.inputs.map((input) => (input && 'data' in input ? toTensor(input) : null));
    const run = losses[row.op];
    if (row.error) {
        assert.throws(() => run(inputs, row.options ?? {}));
        return;
    }
    row.grads?.forEach((gradient, i) => {
        if (gradient) inputs[i]!.requiresGrad = true;
    });
    const loss = run(inputs, row.options ?? {});
    assertClose(loss, row.outputs![0], 'loss');
    if (!row.grads) return;
    loss.backward(upstream(loss));
    row.grads.forEach((gradient, i) => {
        if (gradient) assertClose(inputs[i]!.grad!, gradient, `gradient ${i}`);
    });
}

describe('losses against PyTorch', () => {
    for (const row of readGoldenOps().filter(({ op }) => op in losses))
        it(`${row.op}: ${row.case}`, () => check(row));
});

describe('crossEntropy', () => {
    it('takes labels of every integer dtype', () => {
        const x = tensor([[1, 2, 4]], { requiresGrad: true });
        for (const dtype of ['int64', 'int32', 'uint8'] as const)
            assert.ok(Math.abs(nn.crossEntropy(x, tensor([2], { dtype })).item() - 0.1698) < 1e-4);
    });

    it('says what is wrong with its arguments', () => {
        const x = tensor([[1, 2, 4]]);
        const label = tensor([0], { dtype: 'int64' });
        assert.throws(() => nn.crossEntropy(x, tensor([0, 1], { dtype: 'int64' })), /labels must be \[1\]/);
        assert.throws(() => nn.crossEntropy(x, tensor([0])), /labels must be integers, got float32/);
        assert.throws(() => nn.crossEntropy(x, label, { labelSmoothing: 2 }), /in \[0, 1\], got 2/);
        assert.throws(() => nn.crossEntropy(x, label, { weight: tensor([1]) }), /float tensor \[3\].*\[1\]/);
        assert.throws(() => nn.crossEntropy(x.to('int32'), label), /needs a float dtype/);
        const wrong = 'average' as 'mean';
        assert.throws(() => nn.crossEntropy(x, label, { reduction: wrong }), /reduction must be/);
    });
});
