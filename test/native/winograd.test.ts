import assert from 'node:assert/strict';
import { conv2d, fromTypedArray, grad, scope, type DType, type Tensor } from '../../lib/index.js';
import { sizeOf } from '../../lib/tensor/shape.js';
import { availableSets, withSet, withThreads } from '../support/processor.js';
import { seededUniform, seedOf } from '../support/seeded.js';

interface Case {
    readonly x: readonly [number, number, number, number];
    readonly out: number;
    readonly padding: number;
}

/** Sizes that Winograd's kernels take (forward, backward or both): even and odd, more bands than one. */
const cases: Case[] = [
    { x: [2, 16, 10, 10], out: 16, padding: 1 },
    { x: [3, 32, 11, 13], out: 48, padding: 1 },
    { x: [1, 16, 12, 12], out: 32, padding: 0 },
    { x: [2, 48, 9, 11], out: 16, padding: 2 },
    { x: [1, 64, 41, 30], out: 16, padding: 1 },
    { x: [5, 16, 2, 101], out: 16, padding: 1 },
    { x: [37, 16, 10, 11], out: 16, padding: 1 },
];

type Values = Float32Array | Float64Array;

interface Results {
    readonly y: Values;
    readonly dx: Values;
    readonly dw: Values;
    readonly db: Values;
}

type Fill = (name: string, count: number) => Float64Array;

const parts = ['y', 'dx', 'dw', 'db'] as const;

/** The same convolution and its gradients; in float64 the direct kernels compute it. */
function compute({ x, out, padding }: Case, fill: Fill, dtype: DType): Results {
    return scope(() => {
        const make = (name: string, shape: readonly number[], requiresGrad: boolean): Tensor =>
            fromTypedArray(fill(name, sizeOf(shape)), shape, { dtype, requiresGrad });
        const input = make('x', x, true);
        const weight = make('w', [out, x[1], 3, 3], true);
        const bias = make('b', [out], true);
        const y = conv2d(input, weight, bias, { padding });
        const dy = make('dy', y.shape, false);
        const [dx, dw, db] = grad([y], [input, weight, bias], { gradients: [dy] });
        const values = (t: Tensor | null): Values => Float64Array.from(t?.dataSync() ?? [], Number);
        return { y: values(y), dx: values(dx), dw: values(dw), db: values(db) };
    });
}

const uniform: Fill = (name, count) => {
    const next = seededUniform(seedOf(name));
    return Float64Array.from({ length: count }, () => Math.fround(2 * next() - 1));
};

/** Products, and the quarters of the transforms, are exact. */
const integers: Fill = (name, count) => {
    const next = seededUniform(seedOf(name));
    return Float64Array.from({ length: count }, () => Math.floor(next() * 9) - 4);
};

const label = ({ x, out, padding }: Case): string => `[${x.join(', ')}] to ${out}, padding ${padding}`;

function relativeError(got: Values, wanted: Values): number {
    let [error, size] = [0, 0];
    wanted.forEach((value, i) => {
        error += ((got[i] ?? NaN) - value) ** 2;
        size += value ** 2;
    });
    return Math.sqrt(error / size);
}

/** Which are finite; of dw, for which pairs of channels: a piece adds to all nine taps of a pair. */
function finite(part: (typeof parts)[number], values: Values): boolean[] {
    const all = Array.from(values, Number.isFinite);
    if (part !== 'dw') return all;
    return Array.from({ length: all.length / 9 }, (_, pair) =>
        all.slice(9 * pair, 9 * pair + 9).every(Boolean),
    );
}

describe('convolution by Winograd', () => {
    for (const one of cases) {
        it(`is exact where every step is: ${label(one)}`, () => {
            const wanted = compute(one, integers, 'float64');
            for (const set of availableSets) {
                const got = withSet(set, () => compute(one, integers, 'float32'));
                for (const part of parts) {
                    const at = got[part].findIndex((value, i) => value !== wanted[part][i]);
                    assert.equal(
                        at,
                        -1,
                        `${set}: ${part}[${at}] is ${got[part][at]}, not ${wanted[part][at]}`,
                    );
                }
            }
        });
    }

    it('stays within 6e-7 of float64, as root of mean squares, as the direct way does', () => {
        for (const one of cases) {
            const wanted = compute(one, uniform, 'float64');
            for (const set of availableSets) {
                const got = withSet(set, () => compute(one, uniform, 'float32'));
                for (const part of parts) {
                    const error = relativeError(got[part], wanted[part]);
                    assert.ok(error < 6e-7, `${label(one)}, ${set}: ${part} is ${error} off`);
                }
            }
        }
    });

    it('gives the same bits for any number of threads', () => {
        for (const one of cases) {
            const alone = withThreads(1, () => compute(one, uniform, 'float32'));
            for (const count of [2, 3]) {
                const together = withThreads(count, () => compute(one, uniform, 'float32'));
                for (const part of parts) assert.deepEqual(together[part], alone[part]);
            }
        }
    });

    it('gives an image the same bits in any batch', () => {
        const one: Case = { x: [4, 16, 11, 12], out: 32, padding: 1 };
        const all = compute(one, uniform, 'float32');
        const size = all.y.length / 4;
        const first = compute({ ...one, x: [1, 16, 11, 12] }, uniform, 'float32');
        assert.deepEqual(first.y, all.y.subarray(0, size));
    });

    for (const bad of [NaN, Infinity, -Infinity]) {
        it(`makes the same results not finite as the direct way: ${bad}`, () => {
            const one: Case = { x: [2, 16, 11, 13], out: 16, padding: 1 };
            for (const name of ['x', 'w', 'dy']) {
                for (const at of [0, 70, 143, 1001]) {
                    const fill: Fill = (part, count) => {
                        const values = uniform(part, count);
                        if (part === name) values[at] = bad;
                        return values;
                    };
                    const wanted = compute(one, fill, 'float64');
                    const got = compute(one, fill, 'float32');
                    for (const part of parts) {
                        const [a, b] = [finite(part, got[part]), finite(part, wanted[part])];
                        assert.deepEqual(a, b, `${name}[${at}]: ${part}`);
                    }
                }
            }
        });
    }
});
