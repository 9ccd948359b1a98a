import assert from 'node:assert/strict';

import { goldenNumbers, readGoldenLosses, readGoldenOps } from './golden.js';
import { hashUniform } from './hash_init.js';

describe('golden files', () => {
    it('initial weights are those of the Python script, bit for bit', () => {
        assert.deepEqual([...hashUniform(3, 8, 784)], readGoldenLosses().hash_check);
    });

    it('initial weights fill the interval', () => {
        const weights = hashUniform(0, 10_000, 25);
        assert.ok(weights.every((w) => Math.abs(w) <= 0.2));
        assert.ok(Math.max(...weights) > 0.199 && Math.min(...weights) < -0.199);
        assert.ok(Math.abs(weights.reduce((sum, w) => sum + w, 0) / 10_000) < 0.005);
    });

    it('every tensor of ops.json has as many numbers as its shape says', () => {
        const rows = readGoldenOps();
        assert.ok(rows.length > 500);
        for (const row of rows) {
            const tensors = [...row.inputs, ...(row.outputs ?? []), ...(row.grads ?? [])];
            for (const tensor of tensors) {
                if (tensor === null || 'scalar' in tensor || tensor.dtype === 'string') continue;
                const count = tensor.shape.reduce((product, size) => product * size, 1);
                assert.equal(tensor.data.length, count, `${row.op}, ${row.case}`);
                const words = tensor.data.filter((value) => typeof value === 'string');
                assert.ok(words.every((word) => ['NaN', 'Infinity', '-Infinity'].includes(word)));
                assert.equal(goldenNumbers(tensor).length, count);
            }
            assert.ok(row.error === true || row.outputs !== undefined);
        }
    });
});
