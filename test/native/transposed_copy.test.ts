import assert from 'node:assert/strict';
import { fromTypedArray, permute, scope, slice, zeros, type DType } from '../../lib/index.js';
import { run } from '../../lib/native/call.js';
import { sizeOf } from '../../lib/tensor/shape.js';
import { availableSets, withSet, withThreads } from '../support/processor.js';

/** Element numbers of the permuted array, by walking it one index at a time. */
function permuted(shape: readonly number[], axes: readonly number[]): number[] {
    const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
    const walk = (position: number, at: number): number[] => {
        const axis = axes[position];
        if (axis === undefined) return [at];
        return Array.from({ length: shape[axis] ?? 0 }, (_, i) =>
            walk(position + 1, at + i * (strides[axis] ?? 0)),
        ).flat();
    };
    return walk(0, 0);
}

function copied(shape: readonly number[], axes: readonly number[]): number[] {
    return scope(() => {
        const x = fromTypedArray(
            Float32Array.from({ length: sizeOf(shape) }, (_, i) => i),
            shape,
        );
        return Array.from(permute(x, axes).contiguous().dataSync(), Number);
    });
}

/** The same from one dtype to another, of element numbers modulo 251, which bfloat16 still holds. */
function converted(shape: readonly number[], axes: readonly number[], from: DType, to: DType): number[] {
    return scope(() => {
        const numbers = Float32Array.from({ length: sizeOf(shape) }, (_, i) => i % 251);
        const x = permute(fromTypedArray(numbers, shape, { dtype: from }), axes);
        const out = zeros(x.shape, { dtype: to });
        run('copy', [x], [out]);
        return Array.from(out.to('float32').dataSync(), Number);
    });
}

const sides = [3, 4, 7, 8, 9, 15, 16, 17, 33, 70];

describe('copies into another order of the axes', () => {
    for (const set of availableSets) {
        it(`hold each element once, at the edges of squares, on ${set}`, () => {
            withSet(set, () => {
                for (const rows of sides) {
                    for (const columns of sides) {
                        const shape = [3, rows, columns];
                        assert.deepEqual(copied(shape, [0, 2, 1]), permuted(shape, [0, 2, 1]), String(shape));
                    }
                }
            });
        });
    }

    it('convert between float32 and shorter floats', () => {
        const short = ['float32', 'float16', 'bfloat16'] as const;
        for (const set of availableSets) {
            withSet(set, () => {
                for (const [rows, columns] of [
                    [4, 5],
                    [49, 64],
                    [63, 66],
                    [130, 65],
                ] as const) {
                    const wanted = permuted([2, rows, columns], [0, 2, 1]).map((i) => i % 251);
                    for (const from of short) {
                        for (const to of short) {
                            const got = converted([2, rows, columns], [0, 2, 1], from, to);
                            assert.deepEqual(got, wanted, `${rows}x${columns} ${from} to ${to} on ${set}`);
                        }
                    }
                }
            });
        }
    });

    it('hold each element once for every order of four axes', () => {
        const shape = [5, 6, 7, 9];
        for (const a of [0, 1, 2, 3]) {
            for (const b of [0, 1, 2, 3]) {
                for (const c of [0, 1, 2, 3]) {
                    const axes = [a, b, c, 6 - a - b - c];
                    if (new Set(axes).size < 4 || axes.some((axis) => axis < 0 || axis > 3)) continue;
                    assert.deepEqual(copied(shape, axes), permuted(shape, axes), String(axes));
                }
            }
        }
    });

    it('read a part of each row', () => {
        scope(() => {
            const x = fromTypedArray(
                Float32Array.from({ length: 20 * 30 }, (_, i) => i),
                [20, 30],
            );
            const part = permute(slice(x, 1, 5, 28), [1, 0])
                .contiguous()
                .dataSync();
            for (let j = 0; j < 23; j++)
                for (let i = 0; i < 20; i++) assert.equal(part[j * 20 + i], i * 30 + j + 5);
        });
    });

    it('are the same for 1 and 3 threads', () => {
        const run = (): number[] => copied([9, 130, 50], [0, 2, 1]);
        assert.deepEqual(withThreads(3, run), withThreads(1, run));
    });
});
