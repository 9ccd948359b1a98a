import assert from 'node:assert/strict';
import {
    conv2d,
    fromTypedArray,
    grad,
    maxPool2d,
    scope,
    setThreads,
    threads,
    type DType,
    type Tensor,
} from '../../lib/index.js';
import { native } from '../../lib/native/addon.js';
import { sizeOf } from '../../lib/tensor/shape.js';
import { instructionSets } from '../ops/sample_checks.js';
import { correlation, eachProduct, type Four, type Geometry } from '../ops/samples/conv.js';
import { toBfloat, toHalf } from '../support/rounding.js';
import { seededUniform, seedOf } from '../support/seeded.js';

interface Case {
    readonly name: string;
    readonly x: Four;
    readonly w: Four;
    readonly geometry?: Geometry;
}

/** Small integers: every product and sum is exact in float32, so that the comparison needs no tolerance. */
function integers(shape: readonly number[], seed: string): Float64Array {
    const uniform = seededUniform(seedOf(seed));
    return Float64Array.from({ length: sizeOf(shape) }, () => Math.floor(uniform() * 9) - 4);
}

function leaf(shape: readonly number[], data: Float64Array, dtype: DType): Tensor {
    const x = fromTypedArray(data, shape, { dtype });
    x.requiresGrad = true;
    return x;
}

interface Results {
    readonly y: readonly number[];
    readonly dx: readonly number[];
    readonly dw: readonly number[];
    readonly db: readonly number[];
}

const numbers = (x: Tensor | null): number[] => Array.from(x?.dataSync() ?? [], Number);

function compute({ name, x, w, geometry }: Case, dtype: DType): Results {
    return scope(() => {
        const input = leaf(x, integers(x, `${name} x`), dtype);
        const weight = leaf(w, integers(w, `${name} w`), dtype);
        const bias = leaf([w[0]], integers([w[0]], `${name} b`), dtype);
        const y = conv2d(input, weight, bias, geometry);
        const dy = fromTypedArray(integers(y.shape, `${name} dy`), y.shape, { dtype });
        const [dx, dw, db] = grad([y], [input, weight, bias], { gradients: [dy] });
        return { y: numbers(y), dx: numbers(dx), dw: numbers(dw), db: numbers(db) };
    });
}

function expected({ name, x, w, geometry = {} }: Case): Results {
    const [xs, ws] = [integers(x, `${name} x`), integers(w, `${name} w`)];
    const y = correlation(geometry)(
        { shape: x, data: xs },
        { shape: w, data: ws },
        { shape: [w[0]], data: integers([w[0]], `${name} b`) },
    );
    const [n = 0, o = 0, h = 0, v = 0] = y.shape;
    const dy = integers(y.shape, `${name} dy`);
    const dx = new Float64Array(xs.length);
    const dw = new Float64Array(ws.length);
    const db = new Float64Array(o);
    eachProduct(x, w, [n, o, h, v], geometry, (i, k, j) => {
        dx[i] += ws[k] * dy[j];
        dw[k] += xs[i] * dy[j];
    });
    dy.forEach((value, j) => (db[Math.floor(j / (h * v)) % o] += value));
    return { y: Array.from(y.data), dx: Array.from(dx), dw: Array.from(dw), db: Array.from(db) };
}

const roundings: Partial<Record<DType, (x: number) => number>> = { bfloat16: toBfloat, float16: toHalf };

/** Sums are exact in float32, so each result is the exact one, rounded once. */
function roundedTo(dtype: DType, { y, dx, dw, db }: Results): Results {
    const round = roundings[dtype] ?? ((x: number): number => x);
    const all = (list: readonly number[]): number[] => list.map(round);
    return { y: all(y), dx: all(dx), dw: all(dw), db: all(db) };
}

function assertEqual(actual: Results, wanted: Results, what: string): void {
    for (const part of ['y', 'dx', 'dw', 'db'] as const) {
        const [a, b] = [actual[part], wanted[part]];
        assert.equal(a.length, b.length, `${what}: elements of ${part}`);
        // Adding 0 makes -0 equal to 0.
        const at = a.findIndex((value, i) => value + 0 !== b[i] + 0);
        assert.equal(at, -1, `${what}: ${part}[${at}] is ${a[at]}, expected ${b[at]}`);
    }
}

/** Pixels, channels in and channels out around multiples of the tiles: 4x8, 6x16 and 14x32. */
const edges: Case[] = [1, 5, 6, 7, 13, 14, 15, 27, 28, 29].map((pixels) => ({
    name: `${pixels} pixels`,
    x: [1, 2, 1, pixels],
    w: [3, 2, 1, 1],
}));
for (const channels of [1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65]) {
    edges.push({ name: `${channels} channels out`, x: [2, 2, 3, 5], w: [channels, 2, 2, 2] });
    edges.push({ name: `${channels} channels in`, x: [2, channels, 3, 5], w: [2, channels, 2, 2] });
}

// Nine products a sum: the kernel that keeps the weights in registers, forward or backward.
for (const pixels of [1, 2, 3, 4, 5, 7, 8, 9]) {
    const geometry = { padding: [1, 1] } as const;
    edges.push({ name: `one channel, ${pixels} pixels`, x: [2, 1, 3, pixels], w: [32, 1, 3, 3], geometry });
    edges.push({
        name: `to one channel, ${pixels} pixels`,
        x: [2, 64, 3, pixels],
        w: [1, 64, 3, 3],
        geometry,
    });
    edges.push({ name: `nine channels, ${pixels} pixels`, x: [2, 9, 2, pixels], w: [32, 9, 1, 1] });
}
edges.push({
    name: 'one channel, strides',
    x: [2, 1, 11, 13],
    w: [32, 1, 3, 3],
    geometry: { stride: [2, 3] },
});

// Depthwise: pixels around blocks of eight, channels around vectors, taps around blocks of nine.
for (const pixels of [1, 7, 8, 9, 17]) {
    const geometry = { groups: 5, padding: [1, 1] } as const;
    edges.push({ name: `depthwise, ${pixels} pixels`, x: [2, 5, 3, pixels], w: [5, 1, 3, 3], geometry });
}
for (const channels of [2, 7, 8, 15, 16, 17, 33]) {
    const geometry = { groups: channels, padding: [2, 1] } as const;
    edges.push({
        name: `depthwise, ${channels} channels`,
        x: [2, channels, 4, 5],
        w: [channels, 1, 5, 2],
        geometry,
    });
    edges.push({
        name: `depthwise of a pixel, ${channels}`,
        x: [2, channels, 3, 3],
        w: [channels, 1, 1, 1],
        geometry: { groups: channels },
    });
}

const shapes: Case[] = [
    {
        name: 'depthwise, strides and dilation',
        x: [3, 18, 17, 16],
        w: [18, 1, 3, 3],
        geometry: { groups: 18, stride: [2, 3], dilation: [3, 2], padding: [4, 2] },
    },
    {
        name: 'depthwise, stride above the kernel',
        x: [2, 19, 11, 13],
        w: [19, 1, 2, 2],
        geometry: { groups: 19, stride: [3, 4] },
    },
    {
        name: 'depthwise, several bands',
        x: [2, 70, 41, 37],
        w: [70, 1, 3, 3],
        geometry: { groups: 70, padding: [1, 1] },
    },
    // A single column of the kernel meets the image: products with that one, not with the first.
    {
        name: 'one pixel of a wide kernel',
        x: [5, 17, 4, 1],
        w: [9, 17, 1, 4],
        geometry: { stride: [1, 3], padding: [0, 2], dilation: [3, 1] },
    },
    { name: 'one channel, padded', x: [3, 1, 9, 7], w: [32, 1, 3, 3], geometry: { padding: [1, 1] } },
    { name: 'several bands', x: [1, 64, 40, 30], w: [5, 64, 3, 3], geometry: { padding: [1, 1] } },
    {
        name: 'several bands, stride 2',
        x: [2, 33, 61, 67],
        w: [2, 33, 3, 3],
        geometry: { stride: [2, 2], padding: [1, 1] },
    },
    {
        name: 'stride above the kernel',
        x: [2, 3, 11, 13],
        w: [17, 3, 2, 2],
        geometry: { stride: [3, 4] },
    },
    {
        name: 'padding beyond the kernel',
        x: [1, 2, 3, 3],
        w: [2, 2, 2, 2],
        geometry: { padding: [3, 4] },
    },
    {
        name: 'groups of 17 and 33 channels',
        x: [2, 34, 5, 4],
        w: [66, 17, 3, 3],
        geometry: { groups: 2, padding: [1, 1] },
    },
    {
        name: 'dilation and stride',
        x: [1, 3, 17, 16],
        w: [4, 3, 3, 3],
        geometry: { stride: [2, 3], dilation: [3, 2], padding: [4, 2] },
    },
    { name: 'more slices than images', x: [37, 2, 4, 4], w: [3, 2, 3, 3] },
];

function withSet(set: string, body: () => void): void {
    const before = native.instructionSets().used;
    native.useInstructionSet(set);
    try {
        body();
    } finally {
        native.useInstructionSet(before);
    }
}

function withThreads<T>(count: number, body: () => T): T {
    const before = threads();
    setThreads(count);
    try {
        return body();
    } finally {
        setThreads(before);
    }
}

describe('convolution kernels', () => {
    for (const set of instructionSets) {
        it(`are exact at the edges of tiles on ${set}`, () => {
            withSet(set, () => {
                for (const one of edges) {
                    const wanted = expected(one);
                    for (const dtype of ['float32', 'bfloat16'] as const)
                        assertEqual(compute(one, dtype), roundedTo(dtype, wanted), `${one.name}, ${dtype}`);
                }
            });
        });
    }
    for (const one of shapes) {
        it(`are exact in every float dtype: ${one.name}`, () => {
            const wanted = expected(one);
            for (const set of instructionSets) {
                withSet(set, () => {
                    for (const dtype of ['float32', 'float64', 'float16', 'bfloat16'] as const) {
                        const rounded = roundedTo(dtype, wanted);
                        assertEqual(compute(one, dtype), rounded, `${one.name}, ${dtype}, ${set}`);
                    }
                });
            }
        });
    }

    it('give the same bits for 1, 2 and 3 threads', () => {
        const shape = [19, 5, 23, 21];
        const uniform = seededUniform(seedOf('threads'));
        const data = Float32Array.from({ length: sizeOf(shape) }, () => uniform() - 0.5);
        const kernel = Float32Array.from({ length: 33 * 5 * 9 }, () => uniform() - 0.5);
        const run = (dtype: DType): number[][] =>
            scope(() => {
                const x = fromTypedArray(data, shape, { dtype, requiresGrad: true });
                const w = fromTypedArray(kernel, [33, 5, 3, 3], { dtype, requiresGrad: true });
                const y = maxPool2d(conv2d(x, w, null, { padding: 1 }), 2);
                return [y, ...grad([y.mul(y).sum()], [x, w])].map(numbers);
            });
        for (const dtype of ['float32', 'bfloat16'] as const) {
            const alone = withThreads(1, () => run(dtype));
            for (const count of [2, 3]) {
                const together = withThreads(count, () => run(dtype));
                assert.deepEqual(together, alone, `${dtype}, ${count} threads`);
            }
        }
    });
});
