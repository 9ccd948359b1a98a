import assert from 'node:assert/strict';
import { native } from '../../lib/native/addon.js';
import { fromTypedArray, setThreads, threads, zeros, type Tensor } from '../../lib/index.js';
import { permute, slice } from '../../lib/index.js';

type Floats = Float32Array | Float64Array;

const sets = ['scalar', 'avx2', 'avx512'];
const { best, used } = native.instructionSets();
const available = sets.slice(0, sets.indexOf(best) + 1);

/** Seeded numbers in [-1, 1) (mulberry32). */
function numbers(seed: number): () => number {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let t = Math.imul(state ^ (state >>> 15), 1 | state);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
    };
}

interface Operand {
    readonly tensor: Tensor;
    readonly at: (row: number, column: number) => number;
}

type Layout = 'rows' | 'columns' | 'strided';

/** A [rows, columns] operand in one of three layouts, and what its elements are. */
function operand(rows: number, columns: number, layout: Layout, wide: boolean, next: () => number): Operand {
    const [height, width] = layout === 'columns' ? [columns, rows] : [rows, columns];
    const step = layout === 'strided' ? 3 : 1;
    const data: Floats = new (wide ? Float64Array : Float32Array)(height * width * step).map(next);
    const dense = fromTypedArray(data, [height, width * step]);
    if (layout === 'columns') {
        return { tensor: permute(dense, [1, 0]), at: (i, j) => data[j * rows + i] ?? NaN };
    }
    return {
        tensor: layout === 'strided' ? slice(dense, 1, 1, undefined, 3) : dense,
        at: (i, j) => data[i * columns * step + j * step + (step === 3 ? 1 : 0)] ?? NaN,
    };
}

/** Each element (or every so many) of the product within c k u sum |a| |b| of the float64 one. */
function assertProduct(c: Tensor, a: Operand, b: Operand, k: number, label: string, every = 1): void {
    const [m = 0, n = 0] = c.shape;
    const unit = c.dtype === 'float64' ? 2 ** -53 : 2 ** -24;
    const values = c.dataSync() as Floats;
    for (let i = 0; i < m; i++) {
        for (let j = i % every; j < n; j += every) {
            let sum = 0;
            let magnitude = 0;
            for (let p = 0; p < k; p++) {
                const term = a.at(i, p) * b.at(p, j);
                sum += term;
                magnitude += Math.abs(term);
            }
            const bound = 2 * k * unit * magnitude;
            const got = values[i * n + j] ?? NaN;
            assert.ok(
                Math.abs(got - sum) <= bound,
                `${label}: element ${i},${j} is ${got}, expected ${sum} within ${bound}`,
            );
        }
    }
}

/** Shapes around every tile edge, both orientations, one and two blocks of k. */
function shapes(): [number, number, number][] {
    const result: [number, number, number][] = [];
    for (const m of [1, 2, 3, 5, 6, 7, 8, 13, 14, 15, 29, 57]) {
        for (const n of [1, 7, 8, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 81])
            result.push([m, n, 19]);
    }
    for (const k of [1, 2, 15, 16, 17, 511, 512, 513, 1025]) result.push([6, 34, k], [17, 5, k], [1, 40, k]);
    return result;
}

describe('matrix product', () => {
    afterEach(() => {
        native.useInstructionSet(used);
    });

    for (const set of available) {
        for (const wide of [false, true]) {
            it(`agrees with float64 around the tile edges (${set}, ${wide ? 'float64' : 'float32'})`, () => {
                native.useInstructionSet(set);
                const next = numbers(7);
                const layouts: [Layout, Layout][] = [
                    ['rows', 'rows'],
                    ['rows', 'columns'],
                    ['columns', 'rows'],
                    ['columns', 'columns'],
                    ['strided', 'strided'],
                ];
                shapes().forEach(([m, n, k], index) => {
                    for (const [left, right] of index % 4 === 0
                        ? layouts
                        : [layouts[index % 5] ?? layouts[0]]) {
                        const a = operand(m, k, left, wide, next);
                        const b = operand(k, n, right, wide, next);
                        assertProduct(a.tensor.matmul(b.tensor), a, b, k, `${m}x${n}x${k} ${left} ${right}`);
                    }
                });
            });
        }
    }

    it('packs where rows collide in the cache or B is large', () => {
        const next = numbers(11);
        for (const set of available) {
            native.useInstructionSet(set);
            for (const [m, n, k] of [
                [70, 130, 1024],
                [260, 140, 1024],
                [64, 1030, 300],
                [135, 1001, 530],
                [128, 1100, 2000],
            ] as const) {
                const [a, b] = [operand(m, k, 'rows', false, next), operand(k, n, 'rows', false, next)];
                assertProduct(a.tensor.matmul(b.tensor), a, b, k, `${set} ${m}x${n}x${k}`, 19);
            }
        }
    });

    it('gives the same bits for every layout, thread count and place in the product', () => {
        const before = threads();
        const next = numbers(3);
        const sizes = [
            [131, 150, 800],
            [141, 1003, 170],
        ] as const;
        try {
            for (const [set, [m, n, k]] of available.flatMap((set) =>
                sizes.map((size) => [set, size] as const),
            )) {
                native.useInstructionSet(set);
                const [a, b] = [operand(m, k, 'rows', false, next), operand(k, n, 'rows', false, next)];
                setThreads(1);
                const expected = a.tensor.matmul(b.tensor);
                const [turnedA, turnedB] = [a.tensor, b.tensor].map((x) =>
                    permute(permute(x, [1, 0]).contiguous(), [1, 0]),
                );
                for (const count of [1, 2, 3, 5]) {
                    setThreads(count);
                    assert.deepEqual(turnedA.matmul(turnedB).dataSync(), expected.dataSync());
                    assert.deepEqual(a.tensor.matmul(turnedB).dataSync(), expected.dataSync());
                    const part = slice(a.tensor, 0, 17, 22).matmul(slice(b.tensor, 1, 40, 49));
                    const same = slice(slice(expected, 0, 17, 22), 1, 40, 49);
                    assert.deepEqual(part.dataSync(), same.dataSync());
                }
            }
        } finally {
            setThreads(before);
        }
    });

    it('gives the same bits in AVX2 and AVX-512', () => {
        if (!available.includes('avx512')) return;
        const next = numbers(5);
        const [a, b] = [operand(37, 500, 'rows', false, next), operand(500, 61, 'columns', false, next)];
        const results = ['avx2', 'avx512'].map((set) => {
            native.useInstructionSet(set);
            return a.tensor.matmul(b.tensor).dataSync();
        });
        assert.deepEqual(results[0], results[1]);
    });

    it('multiplies batches, small ones side by side', () => {
        const next = numbers(9);
        const data = new Float32Array(7 * 5 * 6).map(next);
        const a = fromTypedArray(data, [7, 5, 6]);
        const b = operand(6, 4, 'rows', false, next);
        const c = a.matmul(b.tensor);
        for (let batch = 0; batch < 7; batch++) {
            const one: Operand = {
                tensor: a,
                at: (i, p) => data[(batch * 5 + i) * 6 + p] ?? NaN,
            };
            assertProduct(slice(c, 0, batch, batch + 1).reshape([5, 4]), one, b, 6, `batch ${batch}`);
        }
    });

    it('carries NaN and infinity, and writes zeros for no products', () => {
        const a = fromTypedArray(new Float32Array([1, NaN, Infinity, 2]), [2, 2]);
        const eye = fromTypedArray(new Float32Array([1, 0, 0, 1]), [2, 2]);
        assert.deepEqual(a.matmul(eye).toArray(), [
            [NaN, NaN],
            [Infinity, NaN],
        ]);
        assert.deepEqual(
            zeros([2, 0])
                .matmul(zeros([0, 3]))
                .toArray(),
            [
                [0, 0, 0],
                [0, 0, 0],
            ],
        );
    });
});
