import assert from 'node:assert/strict';
import { nn, zeros, type Tensor } from '../../lib/index.js';

describe('summary', () => {
    const norm = new nn.BatchNorm2d(32);
    const cnn = new nn.Sequential(
        new nn.Conv2d(1, 32, 3, { padding: 1 }),
        norm,
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Flatten(),
        new nn.Linear(32 * 14 * 14, 10),
    );

    it('counts parameters, multiplications and bytes', () => {
        const found = nn.summary(cnn, [2, 1, 28, 28]);
        const layer = (path: string): nn.LayerSummary => found.layers.find((row) => row.path === path)!;
        assert.deepEqual(layer('0').outputShape, [2, 32, 28, 28]);
        assert.equal(layer('0').parameters, 320);
        assert.equal(cnn.summary([2, 1, 28, 28]).multAdds, found.multAdds);
        assert.equal(layer('0').multAdds, 2 * 28 * 28 * 320);
        assert.equal(layer('1').multAdds, 2 * 28 * 28 * 64);
        assert.equal(layer('5').multAdds, 2 * 62_730);
        assert.equal(found.parameters, 320 + 64 + 62_730);
        assert.equal(found.parameterBytes, 4 * found.parameters);
        assert.equal(found.inputBytes, 4 * 2 * 28 * 28);
        assert.equal(found.activationBytes, 2 * 4 * (2 * 2 * 32 * 28 * 28 + 20));
    });

    it('leaves modes, gradients and running statistics as they were', () => {
        cnn.train();
        nn.summary(cnn, [2, 1, 28, 28]);
        assert.ok(cnn.modules().every(({ training }) => training));
        assert.equal(norm.buffer('num_batches_tracked').item(), 0);
    });

    it('counts tied parameters once and every call of a layer', () => {
        class Twice extends nn.Module {
            readonly a = new nn.Linear(3, 3);
            readonly b = this.a;
            forward(x: Tensor): Tensor {
                return this.b.forward(this.a.forward(x));
            }
        }
        const found = nn.summary(new Twice(), [5, 3]);
        assert.equal(found.parameters, 12);
        assert.equal(found.multAdds, 2 * 5 * 12);
        assert.equal(nn.summary(new Twice().freeze(), [5, 3]).trainable, 0);
    });

    it('prints a table', () => {
        const lines = String(nn.summary(cnn, [1, 1, 28, 28])).split('\n');
        assert.match(lines[1], /^Layer +Type +Output shape +Parameters +Mult-adds$/);
        assert.match(lines[4], /^ {2}0 +Conv2d +\[1, 32, 28, 28\] +320 +250,880$/);
        assert.ok(lines.includes('Parameters: 63,114 (trainable 63,114, frozen 0)'));
        assert.match(lines.at(-2)!, /^Input 0\.00 MB, parameters 0\.25 MB, forward and backward 0\.40 MB/);
    });

    it('fails with the layer that the input does not fit, and restores the modes', () => {
        assert.throws(() => nn.summary(cnn, [2, 28, 28]), /Conv2d '0': expected/);
        assert.ok(cnn.training);
        assert.deepEqual(cnn.forward(zeros([2, 1, 28, 28])).shape, [2, 10]);
    });
});
