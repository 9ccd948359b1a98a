import assert from 'node:assert/strict';
import { fromTypedArray, scope, Tensor, type DType } from '../../lib/index.js';
import { run } from '../../lib/native/call.js';
import { sizeOf } from '../../lib/tensor/shape.js';
import { availableSets, withSet, withThreads } from '../support/processor.js';
import { seededUniform, seedOf } from '../support/seeded.js';

const normal = (count: number, seed: string, scale = 4): Float32Array => {
    const uniform = seededUniform(seedOf(seed));
    return Float32Array.from({ length: count }, () => (uniform() + uniform() + uniform() - 1.5) * scale);
};

/** Lengths around every number of vectors and lanes of all instruction sets, and long rows. */
const lengths = [1, 2, 3, 7, 8, 9, 10, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 128, 129, 130, 257, 1000];

const softmaxOf = (row: readonly number[], log: boolean): number[] => {
    const shift = Math.max(...row);
    const total = row.reduce((sum, x) => sum + Math.exp(x - shift), 0);
    return row.map((x) => (log ? x - shift - Math.log(total) : Math.exp(x - shift) / total));
};

const gradientOf = (dy: readonly number[], y: readonly number[], log: boolean): number[] => {
    const total = dy.reduce((sum, d, i) => sum + (log ? d : d * (y[i] ?? NaN)), 0);
    return dy.map((d, i) => {
        const p = y[i] ?? NaN;
        return log ? d - Math.exp(p) * total : p * (d - total);
    });
};

/** Rows along the axis of [outer, length, inner], by a function of the rows of all inputs. */
function alongAxis(
    [outer, length, inner]: readonly [number, number, number],
    inputs: readonly ArrayLike<number>[],
    body: (...rows: number[][]) => number[],
): Float64Array {
    const out = new Float64Array(outer * length * inner);
    for (let o = 0; o < outer; o++) {
        for (let i = 0; i < inner; i++) {
            const at = (k: number): number => (o * length + k) * inner + i;
            const rows = inputs.map((x) => Array.from({ length }, (_, k) => x[at(k)] ?? NaN));
            body(...rows).forEach((value, k) => (out[at(k)] = value));
        }
    }
    return out;
}

function assertNear(
    actual: ArrayLike<number>,
    expected: ArrayLike<number>,
    bound: number,
    what: string,
): void {
    for (let i = 0; i < expected.length; i++) {
        const [got, want] = [actual[i] ?? NaN, expected[i] ?? NaN];
        if (Object.is(got, want) || got === want) continue;
        const error = Math.abs(got - want);
        assert.ok(error <= bound * Math.max(1, Math.abs(want)), `${what}: ${got} at ${i}, expected ${want}`);
    }
}

const newTensor = (shape: readonly number[], dtype: DType = 'float32'): Tensor => new Tensor(shape, dtype);

function checkSoftmax(shape: readonly [number, number, number], log: boolean, what: string): void {
    const count = sizeOf(shape);
    const [xs, dys] = [normal(count, `x ${shape.join()}`), normal(count, `dy ${shape.join()}`, 1)];
    const [x, dy] = [fromTypedArray(xs, shape), fromTypedArray(dys, shape)];
    const [y, dx] = [newTensor(shape), newTensor(shape)];
    run('softmax', [x], [y], [1, Number(log)]);
    assertNear(
        y.dataSync() as Float32Array,
        alongAxis(shape, [xs], (row) => softmaxOf(row, log)),
        2e-6,
        what,
    );
    run('softmax_backward', [dy, y], [dx], [1, Number(log)]);
    const expected = alongAxis(shape, [dys, y.dataSync() as Float32Array], (d, p) => gradientOf(d, p, log));
    assertNear(dx.dataSync() as Float32Array, expected, 1e-5, `${what}, backward`);
}

describe('softmax kernels', () => {
    for (const set of availableSets) {
        it(`rows and columns of every length agree with float64 (${set})`, () => {
            withSet(set, () => {
                for (const length of lengths) {
                    for (const log of [false, true]) {
                        for (const [outer, inner] of [
                            [1, 1],
                            [19, 1],
                            [2, 5],
                            [1, 83],
                        ] as const) {
                            scope(() => {
                                checkSoftmax(
                                    [outer, length, inner],
                                    log,
                                    `${outer}x${length}x${inner} ${log}`,
                                );
                            });
                        }
                    }
                }
            });
        });

        it(`NaN, infinities and huge scores stay in their row (${set})`, () => {
            withSet(set, () => {
                for (const length of [10, 40, 200]) {
                    for (const inner of [1, 21]) {
                        scope(() => {
                            checkSpecialRows(length, inner);
                        });
                    }
                }
            });
        });
    }
});

/** The rows of one tensor: plain, with a NaN, all -Infinity, some -Infinity, one Infinity, huge. */
const special: readonly ((row: number[]) => number[])[] = [
    (row) => row,
    (row) => row.map((x, i) => (i === row.length - 1 ? NaN : x)),
    (row) => row.map(() => -Infinity),
    (row) => row.map((x, i) => (i % 3 === 0 ? -Infinity : x)),
    (row) => row.map((x, i) => (i === 2 ? Infinity : x)),
    (row) => row.map((_, i) => (i % 2 === 0 ? 1e38 : -1e38)),
];

function checkSpecialRows(length: number, inner: number): void {
    const shape = [special.length, length, inner] as const;
    const plain = normal(sizeOf(shape), 'special');
    let made = 0;
    const xs = alongAxis(shape, [plain], (row) => special[Math.floor(made++ / inner)]?.(row) ?? row);
    const x = fromTypedArray(Float32Array.from(xs), shape);
    for (const log of [false, true]) {
        const y = newTensor(shape);
        run('softmax', [x], [y], [1, Number(log)]);
        const expected = alongAxis(shape, [x.dataSync() as Float32Array], (row) => softmaxOf(row, log));
        assertNear(y.dataSync() as Float32Array, expected, 2e-6, `log ${log}, ${length}x${inner}`);
        const nan = (i: number): boolean => Number.isNaN((y.dataSync() as Float32Array)[i * length * inner]);
        assert.deepEqual([0, 1, 2, 3, 4, 5].map(nan), [false, true, true, false, true, false]);
    }
}

interface LossSetting {
    readonly rows: number;
    readonly classes: number;
    readonly smoothing: number;
    readonly weighted: boolean;
}

/** Losses and gradients by the definition in float64; label -1 is ignored. */
function lossesOf(
    { rows, classes, smoothing }: LossSetting,
    x: Float32Array,
    labels: readonly number[],
    upstream: ArrayLike<number>,
    weightAt: (c: number) => number,
): { losses: number[]; gradients: number[] } {
    const total = Array.from({ length: classes }, (_, c) => weightAt(c)).reduce((a, b) => a + b, 0);
    const losses: number[] = [];
    const gradients: number[] = [];
    for (let r = 0; r < rows; r++) {
        const label = labels[r] ?? 0;
        const logs = softmaxOf(Array.from(x.subarray(r * classes, (r + 1) * classes)), true);
        const ignored = label < 0;
        const onTarget = ignored ? 0 : (1 - smoothing) * weightAt(label);
        const share = ignored ? 0 : smoothing / classes;
        const spread = logs.reduce((sum, log, c) => sum - share * weightAt(c) * log, 0);
        losses.push(ignored ? 0 : spread - onTarget * (logs[label] ?? NaN));
        for (let c = 0; c < classes; c++) {
            const pull = share * weightAt(c) + (c === label ? onTarget : 0);
            const slope = Math.exp(logs[c] ?? NaN) * (onTarget + share * total) - pull;
            gradients.push(ignored ? 0 : (upstream[r] ?? NaN) * slope);
        }
    }
    return { losses, gradients };
}

function checkLoss(setting: LossSetting): void {
    const { rows, classes, smoothing, weighted } = setting;
    const what = JSON.stringify(setting);
    const uniform = seededUniform(seedOf(what));
    const xs = normal(rows * classes, what, 8);
    const labels = Array.from({ length: rows }, (_, r) =>
        r % 5 === 3 ? -1 : Math.floor(uniform() * classes),
    );
    const weights = Float32Array.from({ length: classes }, () => 0.25 + uniform());
    const upstream = normal(rows, `${what} dy`, 1);
    const weightAt = (c: number): number => (weighted ? (weights[c] ?? NaN) : 1);
    const expected = lossesOf(setting, xs, labels, upstream, weightAt);
    const inputs = [fromTypedArray(xs, [rows, classes]), fromTypedArray(Int32Array.from(labels), [rows])];
    if (weighted) inputs.push(fromTypedArray(weights, [classes]));
    const [losses, dx] = [newTensor([rows]), newTensor([rows, classes])];
    run('cross_entropy', inputs, [losses], [-1, smoothing]);
    run('cross_entropy_backward', [fromTypedArray(upstream, [rows]), ...inputs], [dx], [-1, smoothing, 0]);
    assertNear(losses.dataSync() as Float32Array, expected.losses, 4e-6, what);
    assertNear(dx.dataSync() as Float32Array, expected.gradients, 4e-6, `${what}, backward`);
}

describe('cross entropy kernels', () => {
    for (const set of availableSets) {
        it(`rows of every length agree with float64 (${set})`, () => {
            withSet(set, () => {
                for (const classes of lengths) {
                    for (const smoothing of [0, 0.1, 1]) {
                        for (const weighted of [false, true]) {
                            scope(() => {
                                checkLoss({ rows: 37, classes, smoothing, weighted });
                            });
                        }
                    }
                }
            });
        });
    }

    it('an ignored row of NaN gives 0, another row its NaN', () => {
        const x = fromTypedArray(Float32Array.of(NaN, 1, NaN, 1, 0, 1), [3, 2]);
        const labels = fromTypedArray(Int32Array.of(-1, 1, 0), [3]);
        const [losses, dx] = [newTensor([3]), newTensor([3, 2])];
        run('cross_entropy', [x, labels], [losses], [-1, 0]);
        assert.deepEqual(Array.from(losses.dataSync() as Float32Array).slice(0, 2), [0, NaN]);
        run(
            'cross_entropy_backward',
            [fromTypedArray(Float32Array.of(1, 1, 1), [3]), x, labels],
            [dx],
            [-1, 0, 0],
        );
        const gradients = Array.from(dx.dataSync() as Float32Array);
        assert.deepEqual(gradients.slice(0, 4), [0, 0, NaN, NaN]);
        assert.ok(gradients.slice(4).every(Number.isFinite));
    });

    it('a small loss keeps its precision: log(1 + e^-3) is not rounded away by the score', () => {
        const x = fromTypedArray(Float32Array.of(1e4, 1e4 - 3), [1, 2]);
        const losses = newTensor([1]);
        run('cross_entropy', [x, fromTypedArray(Int32Array.of(0), [1])], [losses], [-1, 0]);
        assertNear(losses.dataSync() as Float32Array, [Math.log1p(Math.exp(-3))], 1e-7, 'loss');
    });

    it('one and two threads give the same bits', () => {
        const [rows, classes] = [3000, 130];
        const x = fromTypedArray(normal(rows * classes, 'threads'), [rows, classes]);
        const labels = fromTypedArray(
            Int32Array.from({ length: rows }, (_, i) => i % classes),
            [rows],
        );
        const make = (): ArrayLike<number>[] =>
            scope(() => {
                const [y, losses, dx] = [newTensor(x.shape), newTensor([rows]), newTensor(x.shape)];
                run('softmax', [x], [y], [1, 0]);
                run('cross_entropy', [x, labels], [losses], [-1, 0.1]);
                run('cross_entropy_backward', [losses, x, labels], [dx], [-1, 0.1, 0]);
                return [y, losses, dx].map((t) => Float32Array.from(t.dataSync() as Float32Array));
            });
        assert.deepEqual(withThreads(2, make), withThreads(1, make));
    });
});
