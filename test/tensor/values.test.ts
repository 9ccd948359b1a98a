import assert from 'node:assert/strict';
import { ones, tensor, zeros, type Tensor } from '../../lib/index.js';

describe('the values of a tensor in JavaScript', () => {
    const x = tensor([
        [1, 2],
        [3, 4.5],
    ]);

    it('are nested arrays in JSON', () => {
        assert.equal(JSON.stringify({ x }), '{"x":[[1,2],[3,4.5]]}');
        assert.equal(JSON.stringify(tensor(3)), '3');
    });

    it('are entries along the first axis in a loop, through which gradients flow', () => {
        const rows = [...x];
        assert.deepEqual(
            rows.map((row) => row.toArray()),
            [
                [1, 2],
                [3, 4.5],
            ],
        );
        const [first, second] = ones([2, 3], { requiresGrad: true });
        assert.ok(first && second);
        const leaf = ones([2], { requiresGrad: true });
        let sum: Tensor = zeros([]);
        for (const entry of leaf) sum = sum.mul(2).add(entry);
        sum.backward();
        assert.deepEqual(leaf.grad?.toArray(), [2, 1]);
        assert.deepEqual([...zeros([0, 2])], []);
        assert.throws(() => [...tensor(1)], /\[Tensor\] a 0-d tensor has nothing to iterate over; item\(\)/);
    });

    it('are a number where there is one only', () => {
        assert.equal(Number(tensor([[7]])), 7);
        assert.deepEqual([...new Float32Array(tensor([1, 2.5]) as never)], [1, 2.5]);
        assert.throws(() => Number(x), /\[item\] needs one element, got shape \[2, 2\]/);
        assert.throws(() => new Float32Array(x as never), /\[item\] needs one element, got shape \[2\]/);
        assert.equal(String(tensor([1])), 'Tensor([1.], shape=[1], dtype=float32)');
    });
});
