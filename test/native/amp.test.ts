import assert from 'node:assert/strict';
import { full, rand, randn, tensor, zeros, type DType, type Tensor } from '../../lib/index.js';
import { run } from '../../lib/native/call.js';
import { Tensor as TensorClass } from '../../lib/tensor/tensor.js';

const count = (value: number): Tensor => tensor(value, { dtype: 'int32' });
const values = (x: Tensor): number[] => Array.from(x.dataSync(), Number);

/** Several tasks and blocks, odd sizes, views that begin off 16 bytes, nothing, and both dtypes. */
function gradients(): Tensor[] {
    return (['float32', 'float64'] as const).flatMap((dtype) => [
        randn([7, 5], { dtype }),
        randn([40001], { dtype }).slice(0, 1, 40001),
        zeros([0], { dtype }),
        rand([3000], { dtype }),
    ]);
}

function check(inverse: number, list: readonly Tensor[], found: Tensor): number {
    const squares = new TensorClass([1], 'float64');
    run('amp_check', [tensor(inverse), ...list], [found, squares]);
    return squares.item();
}

describe('loss scaling ops', () => {
    it('finds what is not finite in any gradient, at any place, and sums the squares', () => {
        const list = gradients();
        const found = count(0);
        const expected = list.flatMap(values).reduce((sum, x) => sum + (x / 8) ** 2, 0);
        assert.ok(Math.abs(check(1 / 8, list, found) / expected - 1) < 1e-6);
        assert.equal(found.item(), 0);
        for (const value of [Infinity, -Infinity, NaN]) {
            for (const x of list) {
                for (const place of x.size === 0 ? [] : [0, x.size - 1]) {
                    const flag = count(0);
                    const flat = x.reshape([x.size]);
                    const before = flat.slice(0, place, place + 1).clone();
                    flat.slice(0, place, place + 1).fill_(value);
                    run('amp_check', [tensor(1), ...list], [flag]);
                    flat.slice(0, place, place + 1).copy_(before);
                    assert.equal(flag.item(), 1, `${value} at ${place} of ${x.dtype} [${x.shape.join()}]`);
                }
            }
        }
    });

    it('squares gradients of 1e20, whose squares are infinite in float32', () => {
        const list = [full([5000], 1e20), full([3], 1e20)];
        const found = count(0);
        const expected = 5003 * Math.fround(1e20) ** 2;
        assert.ok(Math.abs(check(1, list, found) / expected - 1) < 1e-12);
        assert.equal(found.item(), 0);
    });

    it('leaves a flag raised, and takes the largest finite numbers and no gradient at all', () => {
        const found = count(1);
        run('amp_check', [tensor(1), tensor([1])], [found]);
        assert.equal(found.item(), 1);
        const still = count(0);
        run(
            'amp_check',
            [tensor(1), tensor([3.4e38, -3.4e38]), tensor([1e308], { dtype: 'float64' })],
            [still],
        );
        run('amp_check', [tensor(1)], [still]);
        assert.equal(still.item(), 0);
    });

    it('takes as many gradients as a call may have', () => {
        const list = Array.from({ length: 127 }, (_, i) => tensor([i === 126 ? NaN : i]));
        const found = count(0);
        run('amp_check', [tensor(1), ...list], [found]);
        assert.equal(found.item(), 1);
        const outputs = list.map((x) => x.clone());
        run('amp_unscale', [tensor(0.5)], [count(0), ...outputs]);
        assert.deepEqual(
            outputs.slice(0, 126).flatMap(values),
            Array.from({ length: 126 }, (_, i) => i / 2),
        );
    });

    it('multiplies gradients in place', () => {
        const list = gradients();
        const expected = list.map((x) => x.mul(1 / 3));
        const third = Math.fround(1 / 3);
        const found = count(0);
        const before = list.map((x) => x.clone());
        run('amp_unscale', [tensor(1 / 3)], [found, ...list]);
        assert.equal(found.item(), 0);
        list.forEach((x, i) => {
            const round = x.dtype === 'float32' ? Math.fround : (value: number): number => value;
            assert.deepEqual(
                values(x),
                values(before[i]).map((value) => round(value * third)),
            );
            assert.equal(x.size, expected[i].size);
        });
        run('amp_unscale', [tensor(1)], [found, tensor([1, NaN])]);
        assert.equal(found.item(), 1);
    });

    it('makes the factor of a norm', () => {
        const [multiplier, norm] = [tensor(0), tensor(0)];
        const squares = tensor([9, 16], { dtype: 'float64' });
        run('amp_factor', [tensor(0.5), squares], [multiplier, norm], [1]);
        assert.deepEqual([multiplier.item(), norm.item()], [Math.fround(0.5 / (5 + 1e-6)), 5]);
        run('amp_factor', [tensor(0.5), squares], [multiplier, norm], [10]);
        assert.equal(multiplier.item(), 0.5);
    });

    const states: [string, number, number[], number[], number, number[]][] = [
        ['grows after the interval', 8, [2, 5, 1], [0, 0], 16, [0, 5, 0]],
        ['waits for the interval', 8, [1, 5, 0], [0], 8, [2, 5, 0]],
        ['shrinks at any flag', 8, [2, 5, 1], [0, 1], 4, [0, 6, 2]],
        ['stays where it would be infinite', 2 ** 127, [2, 0, 0], [0], 2 ** 127, [0, 0, 0]],
        ['stays where its inverse would be infinite', 2 ** -127, [2, 0, 7], [1], 2 ** -127, [0, 1, 8]],
    ];
    for (const [title, scale, counts, flags, next, nextCounts] of states) {
        it(`moves the scale: ${title}`, () => {
            const state = [tensor(scale), tensor(1 / scale), tensor(counts, { dtype: 'int32' })];
            const found = flags.map(count);
            run('amp_update', [], [...state, ...found], [2, 0.5, 3]);
            assert.deepEqual(state.map(values), [[next], [1 / next], nextCounts]);
            assert.deepEqual(
                found.flatMap(values),
                flags.map(() => 0),
            );
        });
    }

    it('refuses what does not fit', () => {
        const half = tensor([1], { dtype: 'float16' as DType });
        const wrong: [() => void, RegExp][] = [
            [
                () => run('amp_check', [tensor(1), half], [count(0)]),
                /\[amp_check\] gradients must be float32/,
            ],
            [
                () => run('amp_check', [tensor(1)], [tensor(0)]),
                /\[amp_check\] found must be one element of int32/,
            ],
            [() => run('amp_unscale', [tensor([1, 2])], [count(0)]), /inverse scale must be one element/],
            [
                () => run('amp_update', [], [tensor(1), tensor(1), count(0)], [2, 0.5, 3]),
                /3 elements of int32/,
            ],
            [
                () => run('sgd_step', [count(0)], [tensor([1]), tensor([1])], [0.1, 0, 0, 0, 0, 0, 0, 0]),
                /\[sgd_step\] takes groups of 3 tensors/,
            ],
        ];
        for (const [call, message] of wrong) assert.throws(call, message);
    });
});
