import assert from 'node:assert/strict';
import { defaultDevice, Generator, nn, ones, tensor, zeros } from '../../lib/index.js';
import { runWrong } from '../ops/sample_checks.js';

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
        assert.deepEqual(apply(new nn.Softmax()), [0.042, 0.1142, 0.8438]);
        assert.deepEqual(apply(new nn.LogSoftmax(0)), [-3.1698, -2.1698, -0.1698]);
        assert.equal(new nn.Identity().forward(x), x);
        assert.equal(String(new nn.Sequential(new nn.ELU(2))), 'Sequential(\n  (0): ELU(2)\n)');
    });
});

describe('options of layers', () => {
    it('are checked when the layer is made', () => {
        assert.throws(
            () => new nn.LeakyReLU(NaN),
            /LeakyReLU: negativeSlope must be a finite number, got NaN/,
        );
        assert.throws(() => new nn.ELU(Infinity), /ELU: alpha must be a finite number/);
        assert.throws(() => new nn.Softplus(0), /Softplus: beta must not be 0/);
        assert.throws(() => new nn.Softmax(0.5), /Softmax: axis must be an integer, got 0\.5/);
        assert.throws(() => new nn.Flatten(0.5), /Flatten: start must be an integer/);
        assert.throws(() => new nn.LayerNorm(4, { eps: -1 }), /LayerNorm: eps must be .*at least 0, got -1/);
        assert.throws(() => new nn.BatchNorm1d(4, { momentum: NaN }), /BatchNorm1d: momentum must be/);
        assert.throws(() => new nn.GroupNorm(3, 4), /3 groups do not divide 4 channels/);
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
        // A GPU looks at the index later, when it no longer knows the layer.
        const message =
            defaultDevice() === 'cpu'
                ? /Embedding '0': \[embedding\].*4/
                : /\[index_select\] index 4 at position 0/;
        assert.throws(() => runWrong(() => model.forward(tensor([4], { dtype: 'int64' }))), message);
        assert.throws(() => new nn.Embedding(4, 2, { paddingIndex: 4 }), /paddingIndex 4 is outside 4 rows/);
    });
});

describe('Dropout', () => {
    it('drops with its probability in training, keeps the mean, and follows its generator', () => {
        const layer = new nn.Dropout(0.25, { generator: new Generator(3) });
        const y = Array.from(layer.forward(ones([4000])).dataSync(), Number);
        const dropped = y.filter((value) => value === 0).length;
        assert.ok(Math.abs(dropped / 4000 - 0.25) < 0.03);
        assert.ok(y.every((value) => value === 0 || Math.abs(value - 4 / 3) < 1e-6));
        const again = new nn.Dropout(0.25, { generator: new Generator(3) });
        assert.deepEqual(Array.from(again.forward(ones([4000])).dataSync(), Number), y);
        const next = Array.from(again.forward(ones([4000])).dataSync(), Number);
        assert.notDeepEqual(next, y);
    });

    it('gives the input itself in evaluation', () => {
        const x = ones([3]);
        assert.equal(new nn.Dropout(0.9).eval().forward(x), x);
        assert.equal(new nn.Dropout(0).forward(x), x);
        assert.throws(() => new nn.Dropout(1.5), /Dropout: p must be in \[0, 1\], got 1.5/);
    });
});

describe('normalisation layers', () => {
    it('normalise the last dimensions, or groups of channels', () => {
        const x = tensor([
            [1, 3],
            [10, 30],
        ]);
        const near = (y: number[][], expected: number[][]): void => {
            y.flat().forEach((value, i) => assert.ok(Math.abs(value - expected.flat()[i]) < 1e-4));
        };
        near(new nn.LayerNorm(2).forward(x).toArray() as number[][], [
            [-1, 1],
            [-1, 1],
        ]);
        near(new nn.GroupNorm(1, 2).forward(x).toArray() as number[][], [
            [-1, 1],
            [-1, 1],
        ]);
        assert.deepEqual([...new nn.LayerNorm([2, 3], { bias: false }).stateDict().keys()], ['weight']);
        assert.deepEqual(new nn.LayerNorm([2, 3], { elementwiseAffine: false }).parameters(), []);
        assert.deepEqual(new nn.GroupNorm(2, 4).forward(zeros([2, 4, 3, 3])).shape, [2, 4, 3, 3]);
    });

    it('name themselves and the shapes', () => {
        const model = new nn.Sequential(new nn.LayerNorm([3, 4]), new nn.GroupNorm(2, 4));
        assert.throws(
            () => model.forward(zeros([2, 4, 3])),
            /LayerNorm '0': expected \[\*, 3, 4\], got \[2, 4, 3\]/,
        );
        assert.throws(
            () => model.forward(zeros([2, 3, 4])),
            /GroupNorm '1': expected \[N, 4, \*\], got \[2, 3, 4\]/,
        );
        assert.throws(() => new nn.GroupNorm(3, 4), /3 groups do not divide 4 channels/);
        assert.throws(() => new nn.LayerNorm([]), /at least one dimension/);
    });
});
