import assert from 'node:assert/strict';
import { fromTypedArray, layerNorm, scope, Tensor } from '../../lib/index.js';
import { run } from '../../lib/native/call.js';
import { availableSets, withSet, withThreads } from '../support/processor.js';
import { seededUniform, seedOf } from '../support/seeded.js';

const draw = (count: number, seed: string, middle = 0): Float32Array => {
    const uniform = seededUniform(seedOf(seed));
    return Float32Array.from({ length: count }, () => middle + 2 * uniform() - 1);
};

const lengths = [1, 2, 5, 8, 10, 15, 16, 17, 31, 32, 33, 64, 100, 127, 128, 129, 300, 1000];

interface Operands {
    readonly rows: number;
    readonly n: number;
    readonly x: Float32Array;
    readonly dy: Float32Array;
    readonly weight: Float32Array;
    readonly bias: Float32Array;
}

function operands(rows: number, n: number, middle = 0): Operands {
    const seed = `${rows} ${n}`;
    return {
        rows,
        n,
        x: draw(rows * n, `${seed} x`, middle),
        dy: draw(rows * n, `${seed} dy`),
        weight: draw(n, `${seed} weight`, 1),
        bias: draw(n, `${seed} bias`),
    };
}

interface Result {
    readonly y: ArrayLike<number>;
    readonly dx: ArrayLike<number>;
    readonly dweight: ArrayLike<number>;
    readonly dbias: ArrayLike<number>;
}

const EPSILON = 1e-5;

function reference({ rows, n, x, dy, weight, bias }: Operands, affine: boolean): Result {
    const [y, dx] = [new Float64Array(rows * n), new Float64Array(rows * n)];
    const [dweight, dbias] = [new Float64Array(n), new Float64Array(n)];
    const w = (i: number): number => (affine ? (weight[i] ?? NaN) : 1);
    const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / n;
    for (let r = 0; r < rows; r++) {
        const row = Array.from(x.subarray(r * n, (r + 1) * n));
        const middle = mean(row);
        const inverse = 1 / Math.sqrt(mean(row.map((v) => (v - middle) ** 2)) + EPSILON);
        const v = row.map((value) => (value - middle) * inverse);
        const upstream = Array.from(dy.subarray(r * n, (r + 1) * n));
        const g = upstream.map((d, i) => d * w(i));
        const [sum, product] = [mean(g), mean(g.map((d, i) => d * (v[i] ?? NaN)))];
        for (let i = 0; i < n; i++) {
            const [vi, gi, di] = [v[i] ?? NaN, g[i] ?? NaN, upstream[i] ?? NaN];
            y[r * n + i] = vi * w(i) + (affine ? (bias[i] ?? NaN) : 0);
            dx[r * n + i] = (gi - sum - vi * product) * inverse;
            dweight[i] = (dweight[i] ?? 0) + di * vi;
            dbias[i] = (dbias[i] ?? 0) + di;
        }
    }
    return { y, dx, dweight, dbias };
}

function kernels({ rows, n, x, dy, weight, bias }: Operands, affine: boolean): Result {
    return scope(() => {
        const make = (...shape: number[]): Tensor => new Tensor(shape, 'float32');
        const [input, upstream] = [x, dy].map((data) => fromTypedArray(data, [rows, n])) as [Tensor, Tensor];
        const [w, b] = [weight, bias].map((data) => fromTypedArray(data, [n])) as [Tensor, Tensor];
        const [y, mean, inverse] = [make(rows, n), make(rows), make(rows)];
        run('layer_norm', affine ? [input, w, b] : [input], [y, mean, inverse], [1, EPSILON]);
        const gradients = affine ? [make(rows, n), make(n), make(n)] : [make(rows, n)];
        const saved = [upstream, input, mean, inverse];
        run('layer_norm_backward', affine ? [...saved, w] : saved, gradients, [1]);
        const data = (tensor?: Tensor): Float32Array =>
            tensor ? Float32Array.from(tensor.dataSync() as Float32Array) : new Float32Array();
        const [dx, dweight, dbias] = gradients;
        return { y: data(y), dx: data(dx), dweight: data(dweight), dbias: data(dbias) };
    });
}

function assertNear(actual: Result, expected: Result, affine: boolean, scale: number, what: string): void {
    for (const key of affine ? (['y', 'dx', 'dweight', 'dbias'] as const) : (['y', 'dx'] as const)) {
        for (let i = 0; i < expected[key].length; i++) {
            const [got, want] = [actual[key][i] ?? NaN, expected[key][i] ?? NaN];
            const near = Math.abs(got - want) <= scale * Math.max(1, Math.abs(want));
            assert.ok(near, `${what}, ${key}[${i}]: ${got}, expected ${want}`);
        }
    }
}

describe('layer norm kernels', () => {
    for (const set of availableSets) {
        it(`rows of every length agree with float64 (${set})`, () => {
            withSet(set, () => {
                for (const n of lengths.slice(1)) {
                    for (const rows of [1, 5, 35, 300]) {
                        for (const affine of [false, true]) {
                            const given = operands(rows, n);
                            const expected = reference(given, affine);
                            // Rows of two elements may have next to no variance: 1 / sqrt(eps) scales the error.
                            const bound = n < 5 ? 2e-3 : 3e-5;
                            assertNear(
                                kernels(given, affine),
                                expected,
                                affine,
                                bound,
                                `${rows}x${n} ${affine}`,
                            );
                        }
                    }
                }
            });
        });

        it(`a row of one element is the bias, NaN and Infinity stay in their row (${set})`, () => {
            withSet(set, () => {
                const one = operands(7, 1);
                assert.deepEqual(Array.from(kernels(one, true).y), Array(7).fill(one.bias[0]));
                for (const n of [10, 40, 500]) {
                    const given = operands(20, n);
                    const clean = kernels(given, true).y;
                    given.x[3 * n + 1] = NaN;
                    given.x[4 * n + n - 1] = Infinity;
                    const y = Array.from(kernels(given, true).y);
                    assert.ok(y.slice(3 * n, 5 * n).every(Number.isNaN));
                    assert.deepEqual(y.slice(0, 3 * n), Array.from(clean).slice(0, 3 * n));
                    assert.deepEqual(y.slice(5 * n), Array.from(clean).slice(5 * n));
                }
            });
        });
    }

    it('a mean that is large beside the deviation costs no more than the rounding of the input', () => {
        const given = operands(40, 200, 1000);
        assertNear(kernels(given, true), reference(given, true), true, 2e-3, 'middle 1000');
    });

    it('one and two threads give the same bits', () => {
        for (const n of [10, 130, 1000]) {
            const given = operands(1500, n);
            const [one, two] = [1, 2].map((count) => withThreads(count, () => kernels(given, true)));
            assert.deepEqual(two, one);
        }
    });

    it('a float64 weight makes the result float64', () => {
        const x = fromTypedArray(Float32Array.of(1, 3), [1, 2]);
        const y = layerNorm(x, 2, fromTypedArray(Float64Array.of(2, 2), [2]));
        assert.equal(y.dtype, 'float64');
    });
});
