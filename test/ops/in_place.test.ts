import assert from 'node:assert/strict';
import { arange, noGrad, ones, tensor } from '../../lib/index.js';
import { overlaps } from '../../lib/tensor/shape.js';

const matrix = () => arange(0, 6, 1, { dtype: 'float32' }).reshape([2, 3]);
const square = () => arange(0, 9, 1, { dtype: 'float32' }).reshape([3, 3]);

describe('in-place ops', () => {
    it('may read the tensor that they write', () => {
        const x = matrix();
        x.add_(x);
        assert.deepEqual(x.toArray(), [
            [0, 2, 4],
            [6, 8, 10],
        ]);
        assert.deepEqual(x.mul_(x).select(0, 1).toArray(), [36, 64, 100]);
    });

    it('read a view of the target as it was before', () => {
        const x = square();
        x.add_(x.transpose());
        assert.deepEqual(x.toArray(), [
            [0, 4, 8],
            [4, 8, 12],
            [8, 12, 16],
        ]);
        const y = arange(0, 5, 1, { dtype: 'float32' });
        y.slice(0, 1, 5).copy_(y.slice(0, 0, 4));
        assert.deepEqual(y.toArray(), [0, 0, 1, 2, 3]);
        const z = tensor([true, false, true]);
        z.maskedFill_(z, 0);
        assert.deepEqual(z.toArray(), [0, 0, 0]);
    });

    it('write through views into the base', () => {
        const x = matrix();
        x.select(0, 1).fill_(-1);
        x.slice(1, 0, 1).mul_(10);
        x.transpose().slice(0, 2, 3).neg_();
        assert.deepEqual(x.toArray(), [
            [0, 1, -2],
            [-10, -1, 1],
        ]);
    });

    it('leave the target alone when they are refused', () => {
        const x = tensor([4, 5], { dtype: 'int32' });
        for (const call of [
            () => x.add_(0.5),
            () => x.div_(2),
            () => x.remainder_(0),
            () => x.pow_(-1),
            () => x.clamp_(0.5),
            () => x.add_(ones([3], { dtype: 'int32' })),
        ])
            assert.throws(call, /^\w*Error: \[\w+_\]/);
        assert.deepEqual(x.toArray(), [4, 5]);
    });

    it('count as changes of what the tape saved, and pass in noGrad', () => {
        const x = tensor([1, 2, 3], { requiresGrad: true });
        const y = x.mul(2);
        const loss = y.mul(y).sum();
        noGrad(() => y.add_(1));
        assert.throws(() => {
            loss.backward();
        }, /mul saved was changed in place/);
        const other = ones([3], { requiresGrad: true });
        assert.throws(() => ones([3]).add_(other), /\[add_\] the source requires a gradient.*detach/);
    });

    it('cast the other operand within the category', () => {
        const x = ones([2], { dtype: 'float16' });
        assert.equal(x.add_(ones([2], { dtype: 'float64' })).dtype, 'float16');
        const whole = ones([2], { dtype: 'uint8' });
        assert.deepEqual(whole.add_(ones([2], { dtype: 'int64' }).mul(255)).toArray(), [0, 0]);
    });
});

describe('overlapping views', () => {
    it('are refused wherever two elements share memory, and only there', () => {
        const x = arange(6).to('float32');
        const refused = /\[add_\] several elements of the tensor share memory/;
        assert.throws(() => x.unfold(0, 3).add_(1), refused);
        assert.throws(() => x.reshape(6, 1).expand(6, 2).add_(1), refused);
        // Neighbouring windows of 2 every 2 share nothing.
        x.unfold(0, 2, 2).add_(1);
        assert.deepEqual(x.toArray(), [1, 2, 3, 4, 5, 6]);
        x.reshape(2, 3).transpose().mul_(0);
        assert.deepEqual(x.toArray(), [0, 0, 0, 0, 0, 0]);
    });

    it('are told by their layout alone', () => {
        // [shape, strides, whether two indices meet]
        const layouts: [number[], number[], boolean][] = [
            [[2, 2], [1, 1], true],
            [[3, 2], [2, 3], false],
            [[4, 2], [2, 3], false],
            [[4, 3], [2, 3], true],
            [[1, 5], [0, 1], false],
            [[2, 5], [0, 1], true],
            [[0, 5], [0, 0], false],
            [[2, 3, 4], [12, 4, 1], false],
            [[2, 3, 4], [4, 8, 1], false],
        ];
        for (const [shape, strides, expected] of layouts)
            assert.equal(overlaps(shape, strides), expected, `${shape.join()} / ${strides.join()}`);
    });
});
