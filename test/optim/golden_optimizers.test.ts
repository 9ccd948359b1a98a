import assert from 'node:assert/strict';
import { fromTypedArray, nn, noGrad, optim } from '../../lib/index.js';
import { goldenNumbers, readGoldenOps, type GoldenTensor } from '../support/golden.js';

const kinds: Record<string, new (parameters: nn.Parameter[], options: object) => optim.Optimizer> = {
    sgd: optim.SGD,
    adam: optim.Adam,
    adamw: optim.AdamW,
};

describe('optimizers against PyTorch', () => {
    for (const row of readGoldenOps().filter(({ op }) => op in kinds)) {
        it(`${row.op}: ${row.case}`, () => {
            const [start, gradients] = row.inputs as [GoldenTensor, GoldenTensor];
            const expected = goldenNumbers(row.outputs![0]);
            const rows = goldenNumbers(gradients);
            const size = start.shape[0];
            const parameter = new nn.Parameter(
                fromTypedArray(Float64Array.from(goldenNumbers(start)), [size]),
            );
            const optimizer = new kinds[row.op]([parameter], row.options ?? {});
            for (let step = 0; step < gradients.shape[0]; step++) {
                const gradient = rows.slice(step * size, (step + 1) * size);
                parameter.grad = fromTypedArray(Float64Array.from(gradient), [size]);
                noGrad(() => optimizer.step());
                [...parameter.dataSync()].forEach((value, i) => {
                    const want = expected[step * size + i];
                    assert.ok(
                        Math.abs(Number(value) - want) <= 1e-14 + 1e-12 * Math.abs(want),
                        `step ${step + 1}, element ${i}: ${value}, PyTorch ${want}`,
                    );
                });
            }
        });
    }
});
