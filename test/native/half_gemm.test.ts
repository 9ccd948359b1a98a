import assert from 'node:assert/strict';
import { native } from '../../lib/native/addon.js';
import {
    fromTypedArray,
    full,
    linear,
    permute,
    scope,
    setThreads,
    slice,
    threads,
    zeros,
    type Tensor,
} from '../../lib/index.js';
import { runNew } from '../../lib/ops/kernels.js';
import { multiply } from '../../lib/ops/matmul.js';
import { instructionSets } from '../ops/sample_checks.js';
import { seededUniform, seedOf } from '../support/seeded.js';

type Half = 'bfloat16' | 'float16';

/** Half the distance between neighbours, at most, relative to the number. */
const roundings: Record<Half, number> = { bfloat16: 2 ** -8, float16: 2 ** -11 };

type Layout = 'rows' | 'columns' | 'strided';

interface Operand {
    readonly tensor: Tensor;
    readonly at: (row: number, column: number) => number;
}

/** A [rows, columns] operand inside a tensor that is NaN everywhere else, and what its elements are. */
function operand(
    rows: number,
    columns: number,
    layout: Layout,
    dtype: Half,
    uniform: () => number,
    margin = 3,
): Operand {
    const [height, width] = layout === 'columns' ? [columns, rows] : [rows, columns];
    const step = layout === 'strided' ? 3 : 1;
    const [outerHeight, outerWidth] = [height + 1, width * step + margin];
    const data = new Float32Array(outerHeight * outerWidth).fill(NaN);
    for (let i = 0; i < height; i++)
        for (let j = 0; j < width; j++) data[i * outerWidth + j * step] = uniform() * 2 - 1;
    const outer = fromTypedArray(data, [outerHeight, outerWidth], { dtype });
    const inner = slice(slice(outer, 0, 0, height), 1, 0, width * step - (step - 1), step);
    const stored = inner.contiguous().to('float32').dataSync() as Float32Array;
    return layout === 'columns'
        ? { tensor: permute(inner, [1, 0]), at: (i, j) => stored[j * rows + i] ?? NaN }
        : { tensor: inner, at: (i, j) => stored[i * columns + j] ?? NaN };
}

const product = (a: Tensor, b: Tensor, dtype: 'float32' | Half): Tensor =>
    runNew('matmul', [a, b], [a.shape[0] ?? 0, b.shape[1] ?? 0], dtype, [0, 0]);

/** Each element within the bound of its sum's length, and of one rounding where the product is rounded. */
function assertProduct(c: Tensor, a: Operand, b: Operand, k: number, label: string, every = 1): void {
    const [m = 0, n = 0] = c.shape;
    const values = c.to('float32').dataSync() as Float32Array;
    const rounding = c.dtype === 'float32' ? 0 : roundings[c.dtype as Half];
    for (let i = 0; i < m; i++) {
        for (let j = i % every; j < n; j += every) {
            let sum = 0;
            let magnitude = 0;
            for (let p = 0; p < k; p++) {
                const term = a.at(i, p) * b.at(p, j);
                sum += term;
                magnitude += Math.abs(term);
            }
            const summing = 2 * k * 2 ** -24 * magnitude;
            const bound = summing + rounding * (Math.abs(sum) + summing) + 2 ** -24;
            const got = values[i * n + j] ?? NaN;
            assert.ok(
                Math.abs(got - sum) <= bound,
                `${label}: element ${i},${j} is ${got}, expected ${sum} within ${bound}`,
            );
        }
    }
}

const layouts: readonly (readonly [Layout, Layout])[] = [
    ['rows', 'rows'],
    ['rows', 'columns'],
    ['columns', 'rows'],
    ['columns', 'columns'],
    ['strided', 'strided'],
];

/** Shapes around every tile edge, both orientations, odd and even sums, one and two blocks of k. */
function shapes(): [number, number, number][] {
    const result: [number, number, number][] = [];
    for (const m of [1, 2, 3, 5, 6, 7, 8, 13, 14, 15, 29, 57]) {
        for (const n of [1, 7, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 81])
            result.push([m, n, 18 + ((m + n) % 3)]);
    }
    for (const k of [1, 2, 3, 31, 32, 33, 34, 383, 385, 767, 768, 769, 1537])
        result.push([6, 34, k], [17, 5, k], [1, 40, k]);
    return result;
}

describe('matrix product of two-byte floats', () => {
    const { used } = native.instructionSets();
    afterEach(() => {
        native.useInstructionSet(used);
    });

    for (const set of instructionSets) {
        for (const dtype of ['bfloat16', 'float16'] as const) {
            it(`agrees with float64 around the tile edges (${set}, ${dtype})`, () => {
                native.useInstructionSet(set);
                const uniform = seededUniform(seedOf(`half gemm ${dtype}`));
                shapes().forEach(([m, n, k], index) => {
                    const chosen = index % 5 === 0 ? layouts : [layouts[index % 5] ?? ['rows', 'rows']];
                    for (const [left, right] of chosen) {
                        scope(() => {
                            const a = operand(m, k, left, dtype, uniform);
                            const b = operand(k, n, right, dtype, uniform, 2);
                            const label = `${m}x${n}x${k} ${left} ${right}`;
                            const sums = product(a.tensor, b.tensor, 'float32');
                            assertProduct(sums, a, b, k, `${label} float32`);
                            const rounded = product(a.tensor, b.tensor, dtype);
                            assert.deepEqual(rounded.dataSync(), sums.to(dtype).dataSync(), label);
                        });
                    }
                });
            });
        }
    }

    it('agrees with float64 where rows collide in the cache or operands are large', () => {
        const uniform = seededUniform(seedOf('half gemm large'));
        for (const set of instructionSets) {
            native.useInstructionSet(set);
            for (const [m, n, k] of [
                [70, 130, 2048],
                [260, 140, 1024],
                [64, 1030, 301],
                [135, 1001, 530],
            ] as const) {
                const a = operand(m, k, 'rows', 'bfloat16', uniform, 0);
                const b = operand(k, n, 'rows', 'bfloat16', uniform, 0);
                const label = `${set} ${m}x${n}x${k}`;
                assertProduct(product(a.tensor, b.tensor, 'bfloat16'), a, b, k, label, 19);
            }
        }
    });

    it('gives the same bits for every layout, thread count and place in the product', () => {
        const before = threads();
        const uniform = seededUniform(seedOf('half gemm bits'));
        try {
            for (const set of instructionSets) {
                native.useInstructionSet(set);
                const [m, n, k] = [131, 150, 1601];
                const a = operand(m, k, 'rows', 'bfloat16', uniform).tensor;
                const b = operand(k, n, 'rows', 'bfloat16', uniform).tensor;
                const [turnedA, turnedB] = [a, b].map((x) =>
                    permute(permute(x, [1, 0]).contiguous(), [1, 0]),
                ) as [Tensor, Tensor];
                setThreads(1);
                const expected = product(a, b, 'float32');
                for (const count of [1, 2, 3, 5]) {
                    setThreads(count);
                    assert.deepEqual(product(turnedA, turnedB, 'float32').dataSync(), expected.dataSync());
                    assert.deepEqual(product(a, turnedB, 'float32').dataSync(), expected.dataSync());
                    const part = product(slice(a, 0, 17, 22), slice(b, 1, 40, 49), 'float32');
                    assert.deepEqual(
                        part.dataSync(),
                        slice(slice(expected, 0, 17, 22), 1, 40, 49).dataSync(),
                    );
                    assert.deepEqual(
                        product(a, b, 'bfloat16').dataSync(),
                        expected.to('bfloat16').dataSync(),
                    );
                }
            }
        } finally {
            setThreads(before);
        }
    });

    it('multiplies batches, and takes the transposes of the op', () => {
        const uniform = seededUniform(seedOf('half gemm batches'));
        const data = Float32Array.from({ length: 7 * 5 * 6 }, () => uniform() - 0.5);
        const a = fromTypedArray(data, [7, 5, 6], { dtype: 'bfloat16' });
        const stored = a.to('float32').dataSync() as Float32Array;
        const b = operand(6, 4, 'rows', 'bfloat16', uniform);
        const c = a.matmul(b.tensor);
        for (let batch = 0; batch < 7; batch++) {
            const tensor = slice(a, 0, batch, batch + 1).reshape([5, 6]);
            const one = { tensor, at: (i: number, p: number) => stored[(batch * 5 + i) * 6 + p] ?? NaN };
            assertProduct(slice(c, 0, batch, batch + 1).reshape([5, 4]), one, b, 6, `batch ${batch}`);
            const turned = multiply(
                permute(tensor, [1, 0]).contiguous(),
                permute(b.tensor, [1, 0]).contiguous(),
                true,
                true,
            );
            assertProduct(turned, one, b, 6, `batch ${batch}, transposed`);
        }
    });

    it('adds a bias of either type in float32', () => {
        const uniform = seededUniform(seedOf('half gemm bias'));
        for (const set of instructionSets) {
            native.useInstructionSet(set);
            for (const [m, n, k] of [
                [9, 33, 21],
                [70, 10, 800],
            ] as const) {
                const x = operand(m, k, 'rows', 'bfloat16', uniform);
                const w = operand(n, k, 'rows', 'bfloat16', uniform);
                const bias = fromTypedArray(Float32Array.from({ length: n }, uniform), [n], {
                    dtype: 'bfloat16',
                });
                const wide = bias.to('float32');
                // As one more column of x, which is 1 there.
                const one = { tensor: x.tensor, at: (i: number, p: number) => (p === k ? 1 : x.at(i, p)) };
                const offset = wide.dataSync();
                const other = {
                    tensor: w.tensor,
                    at: (p: number, j: number) => (p === k ? Number(offset[j]) : w.at(j, p)),
                };
                const y = linear(x.tensor, w.tensor, bias);
                assertProduct(y, one, other, k + 1, `${set} ${m}x${n}x${k}`);
                for (const type of ['float32', 'bfloat16'] as const) {
                    const again = runNew('linear', [x.tensor, w.tensor, wide], [m, n], type);
                    assert.deepEqual(again.to('bfloat16').dataSync(), y.dataSync());
                }
            }
        }
    });

    it('carries NaN and infinity, and writes zeros for no products', () => {
        for (const set of instructionSets) {
            native.useInstructionSet(set);
            for (const dtype of ['bfloat16', 'float16'] as const) {
                const a = fromTypedArray(new Float32Array([1, NaN, Infinity, 2]), [2, 2], { dtype });
                const eye = fromTypedArray(new Float32Array([1, 0, 0, 1]), [2, 2], { dtype });
                assert.deepEqual(a.matmul(eye).toArray(), [
                    [NaN, NaN],
                    [Infinity, NaN],
                ]);
                const none = zeros([2, 0], { dtype }).matmul(zeros([0, 3], { dtype }));
                assert.deepEqual(none.toArray(), [
                    [0, 0, 0],
                    [0, 0, 0],
                ]);
                assert.deepEqual(zeros([0, 2], { dtype }).matmul(eye).shape, [0, 2]);
                const bias = full([3], 2, { dtype });
                const biased = linear(zeros([2, 0], { dtype }), zeros([3, 0], { dtype }), bias);
                assert.deepEqual(biased.toArray(), [
                    [2, 2, 2],
                    [2, 2, 2],
                ]);
            }
        }
    });
});
