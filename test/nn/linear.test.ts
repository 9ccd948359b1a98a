import assert from 'node:assert/strict';
import { nn, noGrad, ones, tensor } from '../../lib/index.js';

describe('Linear', () => {
    it('computes x W^T + b for any number of leading dimensions', () => {
        const layer = new nn.Linear(2, 3);
        layer.loadStateDict({
            weight: tensor([
                [1, 2],
                [3, 4],
                [5, 6],
            ]),
            bias: tensor([0, 10, 20]),
        });
        assert.deepEqual(layer.forward(tensor([1, -1])).toArray(), [-1, 9, 19]);
        assert.deepEqual(layer.forward(ones([2, 1, 2])).toArray(), [[[3, 17, 31]], [[3, 17, 31]]]);
        layer
            .forward(ones([4, 5, 2]))
            .sum()
            .backward();
        assert.deepEqual(layer.weight.grad!.toArray(), [
            [20, 20],
            [20, 20],
            [20, 20],
        ]);
        assert.deepEqual(layer.bias!.grad!.toArray(), [20, 20, 20]);
        assert.deepEqual(layer.forward(ones([0, 2])).shape, [0, 3]);
    });

    it('starts uniform within 1 / sqrt(inFeatures)', () => {
        const layer = new nn.Linear(100, 200, { dtype: 'float64' });
        const values = [...noGrad(() => layer.weight.clone()).dataSync()].map(Number);
        assert.ok(values.every((value) => Math.abs(value) <= 0.1));
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        const square = values.reduce((sum, value) => sum + value * value, 0) / values.length;
        assert.ok(Math.abs(mean) < 0.002);
        assert.ok(Math.abs(square - 0.01 / 3) < 1e-4);
        assert.ok(Math.max(...Array.from(layer.bias!.dataSync(), Number)) > 0.05);
    });

    it('refuses sizes that are none', () => {
        assert.throws(() => new nn.Linear(0, 3), /Linear: inFeatures must be a positive integer, got 0/);
        assert.throws(() => new nn.Linear(3, 2.5), /outFeatures must be a positive integer, got 2.5/);
    });
});
