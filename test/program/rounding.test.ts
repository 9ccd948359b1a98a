import assert from 'node:assert/strict';
import { arange, full, tensor, zeros, type DType, type Tensor } from '../../lib/index.js';
import { allAtOnce, differencesOfFused, type Computed } from '../../lib/program/rounding.js';
import type { Scale, UpdateRole } from '../../lib/program/update_rounding.js';

const moves = { gradient: 0, parameter: 1, state: 1, other: 0 };
const float: Scale = { dtypes: ['float32', 'int32'], gradient: 1, moves };
const coarse: Scale = { ...float, dtypes: ['float32', 'bfloat16'] };

const found = (tensors: readonly Computed[], scale = float): string | undefined =>
    allAtOnce(differencesOfFused('tensor', tensors, scale));

/** What is found of one tensor that comes from sums in another order. */
const off = (exact: Tensor, fused: Tensor, scale?: Scale, update?: UpdateRole): string | undefined =>
    found([{ exact, fused, isReordered: true, update }], scale);

describe('differencesOfFused', () => {
    const exact = tensor([100, -1, 0]);

    it('wants equal values where sums keep their order', () => {
        const alike = { exact, fused: tensor([100, -1, 0]), isReordered: false };
        const near = { exact, fused: tensor([100, -1.0000001, 0]), isReordered: false };
        assert.equal(found([alike]), undefined);
        assert.match(found([alike, near]) ?? '', /tensor 1 of shape \[3\] differs by up to 1\.19e-7/);
        const holes = { exact: tensor([NaN, 1]), fused: tensor([NaN, 1]), isReordered: false };
        assert.equal(found([holes]), undefined);
        assert.match(found([{ ...holes, fused: tensor([1, 1]) }]) ?? '', /Infinity/);
        const zero = { exact: tensor([0, 1]), fused: tensor([-0, 1]), isReordered: false };
        assert.equal(found([zero]), undefined);
    });

    it('tells integers apart that are one number as float64', () => {
        const [exact, fused] = [0n, 1n].map((more) => tensor(BigInt64Array.of(2n ** 53n + more)));
        assert.ok(exact && fused);
        assert.equal(found([{ exact, fused: exact, isReordered: false }]), undefined);
        assert.match(
            found([{ exact, fused, isReordered: false }]) ?? '',
            /tensor 0 of shape \[1\] differs by up to 1/,
        );
    });

    it('lets results pass that are off by little beside the largest element', () => {
        assert.equal(off(exact, tensor([100, -1.005, 0.001])), undefined);
        assert.equal(off(exact, tensor([100, -1.02, 0])), 'tensor 0 of shape [3] differs by up to 0.0200');
        assert.match(off(exact, tensor([NaN, -1, 0])) ?? '', /differs by up to Infinity/);
        assert.match(off(full([4], 1), full([4], 1.01)) ?? '', /tensor 0/);
        assert.equal(off(full([4], 1), full([4], 1.01), coarse), undefined);
    });

    it('lets near ties fall the other way, in a few places only', () => {
        const of = (values: number[], dtype: DType): Tensor => tensor(values, { dtype });
        const places = Array.from({ length: 100 }, (_, i) => i % 10);
        assert.equal(off(of(places, 'int32'), of([5, ...places.slice(1)], 'int32')), undefined);
        assert.match(off(of(places, 'int32'), of([5, 6, ...places.slice(2)], 'int32')) ?? '', /by up to 5/);
        const [count, more, most] = [40, 41, 43].map((value) => tensor(value, { dtype: 'int32' }));
        assert.ok(count && more && most);
        assert.equal(off(count, more), undefined);
        assert.match(off(count, most) ?? '', /by up to 3/);
        const [yes, no] = [true, false].map((value) => tensor(value));
        assert.ok(yes && no);
        assert.match(off(yes, no) ?? '', /by up to 1/);
    });

    describe('of updates', () => {
        const before = full([64], 100);
        const gradient = full([64], 1);
        const parameter: UpdateRole = { kind: 'parameter', before, gradient };
        /** An update of 1 in each element. */
        const moved = (by: number, role = parameter, scale = float): string | undefined =>
            off(full([64], 101), full([64], 100 + by), scale, role);

        it('bounds them by how far they go', () => {
            for (const scale of [float, coarse]) {
                assert.equal(moved(1.1, parameter, scale), undefined);
                for (const by of [0, -1, 2, NaN]) assert.match(moved(by, parameter, scale) ?? '', /tensor 0/);
            }
        });

        it('takes overflows for the same where both have them, and looks at the others all the same', () => {
            for (const [huge, kind] of [
                [Infinity, 'gradient'],
                [NaN, 'gradient'],
                [-Infinity, 'parameter'],
            ] as const) {
                const [exact, same] = [tensor([huge, 1, 2]), tensor([huge, 1.0001, 2])];
                const role: UpdateRole = {
                    kind,
                    gradient: tensor([huge, 1, 2]),
                    ...(kind === 'parameter' ? { before: zeros([3]) } : {}),
                };
                assert.equal(off(exact, same, float, role), undefined, `${kind} ${huge}`);
                for (const wrong of [tensor([huge, 3, 2]), tensor([1, 1, 2]), tensor([huge, 1, -huge])])
                    assert.match(off(exact, wrong, float, role) ?? '', /tensor 0/, `${kind} ${huge}`);
            }
        });

        it('lets settled averages move by less than their rounding', () => {
            const role: UpdateRole = { kind: 'state', before, gradient };
            const [wanted, got] = [full([64], 100.001), full([64], 100.005)];
            assert.equal(off(wanted, got, float, role), undefined);
            assert.match(off(wanted, got, float, parameter) ?? '', /tensor 0/);
        });

        it('takes elements for rounding whose gradient is small beside the others', () => {
            const small = arange(64).ne(0).to('float32');
            const turned = small.mul(2).add(99);
            const role: UpdateRole = { ...parameter, gradient: small };
            assert.equal(off(full([64], 101), turned, float, role), undefined);
            assert.equal(moved(-1, { ...parameter, gradient: full([64], 1e-7) }), undefined);
            assert.match(moved(-1, { ...parameter, gradient: full([64], 1e-3) }) ?? '', /tensor 0/);
            // Where it is gone, all of them may be.
            assert.equal(moved(-1, { ...parameter, gradient: undefined }), undefined);
        });

        it('finds what is off by more than any move, and what was left out, also there', () => {
            const role: UpdateRole = { ...parameter, gradient: undefined };
            assert.match(moved(6, role) ?? '', /tensor 0/);
            assert.match(moved(Infinity, role) ?? '', /Infinity/);
            assert.match(moved(0, role) ?? '', /tensor 0/);
            const few = { exact: full([4], 1), fused: zeros([4]), isReordered: true };
            assert.equal(found([{ ...few, update: { ...role, before: zeros([4]) } }]), undefined);
        });

        it('bounds gradients by themselves, and small ones by the largest', () => {
            const of = (value: number): UpdateRole => ({ kind: 'gradient', gradient: full([4], value) });
            assert.equal(off(full([4], 0.1), full([4], 0.11), float, of(0.1)), undefined);
            assert.match(off(full([4], 0.1), zeros([4]), float, of(0.1)) ?? '', /tensor 0/);
            assert.equal(off(full([4], 1e-7), full([4], -1e-7), float, of(1e-7)), undefined);
            assert.match(off(full([4], 1e-7), full([4], 1e-3), float, of(1e-7)) ?? '', /tensor 0/);
        });

        it('takes nothing for rounding that no optimizer has made', () => {
            assert.match(moved(0, { kind: 'other', before }) ?? '', /tensor 0/);
        });
    });
});
