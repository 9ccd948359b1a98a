import assert from 'node:assert/strict';
import { nn, tensor, zeros } from '../../lib/index.js';

describe('activation layers', () => {
    it('apply their function with their options', () => {
        const x = tensor([-1, 0, 2]);
        const apply = (layer: nn.Layer): number[] =>
            (layer.forward(x).toArray() as number[]).map((value) => Number(value.toFixed(4)));
        assert.deepEqual(apply(new nn.ReLU()), [0, 0, 2]);
        assert.deepEqual(apply(new nn.LeakyReLU(0.5)), [-0.5, 0, 2]);
        assert.deepEqual(apply(new nn.ELU(2)), [-1.2642, 0, 2]);
        assert.deepEqual(apply(new nn.GELU()), [-0.1587, 0, 1.9545]);
        assert.deepEqual(apply(new nn.GELU('tanh')), [-0.1588, 0, 1.9546]);
        assert.deepEqual(apply(new nn.SiLU()), [-0.2689, 0, 1.7616]);
        assert.deepEqual(apply(new nn.Softplus(2)), [0.0635, 0.3466, 2.0091]);
        assert.deepEqual(apply(new nn.Sigmoid()), [0.2689, 0.5, 0.8808]);
        assert.deepEqual(apply(new nn.Tanh()), [-0.7616, 0, 0.964]);
        assert.equal(new nn.Identity().forward(x), x);
        assert.equal(String(new nn.Sequential(new nn.ELU(2))), 'Sequential(\n  (0): ELU(2)\n)');
    });
});

describe('Flatten', () => {
    it('joins all dimensions but the first, or those it is told', () => {
        assert.deepEqual(new nn.Flatten().forward(zeros([2, 3, 4])).shape, [2, 12]);
        assert.deepEqual(new nn.Flatten(0, 1).forward(zeros([2, 3, 4])).shape, [6, 4]);
    });
});

describe('Embedding', () => {
    it('looks rows up and learns them, but for the padding row', () => {
        const table = new nn.Embedding(4, 2, { paddingIndex: -1 });
        const y = table.forward(tensor([1, 1, 3], { dtype: 'int64' }));
        assert.deepEqual(y.select(0, 2).toArray(), [0, 0]);
        y.sum().backward();
        assert.deepEqual(table.weight.grad!.toArray(), [
            [0, 0],
            [2, 2],
            [0, 0],
            [0, 0],
        ]);
    });

    it('starts from the standard normal distribution', () => {
        const values = Array.from(new nn.Embedding(200, 50).weight.dataSync(), Number);
        const square = values.reduce((sum, value) => sum + value * value, 0) / values.length;
        assert.ok(Math.abs(square - 1) < 0.05);
    });

    it('names itself for an index outside the table', () => {
        const model = new nn.Sequential(new nn.Embedding(4, 2));
        assert.throws(
            () => model.forward(tensor([4], { dtype: 'int64' })),
            /Embedding '0': \[embedding\].*4/,
        );
        assert.throws(() => new nn.Embedding(4, 2, { paddingIndex: 4 }), /paddingIndex 4 is outside 4 rows/);
    });
});
