import assert from 'node:assert/strict';
import { conv2d, fromTypedArray, grad, permute, scope, type Tensor } from '../../lib/index.js';
import { native } from '../../lib/native/addon.js';
import { run } from '../../lib/native/call.js';
import { listParameters } from '../../lib/ops/pair.js';
import { sizeOf } from '../../lib/tensor/shape.js';
import { Tensor as NewTensor } from '../../lib/tensor/tensor.js';
import { instructionSets } from '../ops/sample_checks.js';
import { eachProduct, type Four, type Geometry } from '../ops/samples/conv.js';
import { seededUniform, seedOf } from '../support/seeded.js';

interface Case {
    readonly x: Four;
    readonly w: Four;
    readonly geometry: Geometry;
}

/** Odd and even channels and widths, one and several images to a unit. */
const cases: readonly Case[] = [
    { x: [2, 32, 14, 14], w: [64, 32, 3, 3], geometry: { padding: [1, 1] } },
    { x: [3, 1, 9, 7], w: [32, 1, 3, 3], geometry: { padding: [1, 1] } },
    { x: [70, 3, 5, 6], w: [10, 3, 3, 3], geometry: { padding: [1, 1] } },
    { x: [2, 6, 9, 11], w: [10, 3, 2, 3], geometry: { groups: 2, stride: [2, 2], padding: [1, 1] } },
    { x: [2, 5, 8, 9], w: [7, 5, 1, 1], geometry: {} },
];

function uniformTensor(shape: readonly number[], seed: string): Tensor {
    const uniform = seededUniform(seedOf(seed));
    const data = Float32Array.from({ length: sizeOf(shape) }, () => uniform() * 2 - 1);
    return fromTypedArray(data, shape, { dtype: 'bfloat16' });
}

const stored = (x: Tensor): Float32Array => x.to('float32').dataSync() as Float32Array;

function parameters({ geometry }: Case): number[] {
    const { stride = [1, 1], padding = [0, 0], dilation = [1, 1], groups = 1 } = geometry;
    const sides = [padding[0], padding[0], padding[1], padding[1]];
    return [...listParameters(stride, sides, dilation), groups];
}

type Pass = 'conv2d' | 'conv2d_backward_input' | 'conv2d_backward_weight';

/** One pass in bfloat16 with a result of the given dtype. */
function pass(
    op: Pass,
    inputs: readonly Tensor[],
    shape: readonly number[],
    dtype: 'float32' | 'bfloat16',
    one: Case,
): Tensor {
    const out = new NewTensor(shape, dtype);
    run(op, inputs, [out], parameters(one));
    return out;
}

interface Sums {
    readonly value: Float64Array;
    readonly magnitude: Float64Array;
    /** Products in the longest sum. */
    length: number;
}

const sums = (size: number): Sums => ({
    value: new Float64Array(size),
    magnitude: new Float64Array(size),
    length: 0,
});

function assertSums(actual: Tensor, { value, magnitude, length }: Sums, what: string): void {
    const rounding = actual.dtype === 'bfloat16' ? 2 ** -8 : 0;
    const got = stored(actual);
    value.forEach((wanted, i) => {
        const summing = 2 * (length + 16) * 2 ** -24 * (magnitude[i] ?? 0);
        const bound = summing + rounding * (Math.abs(wanted) + summing);
        const error = Math.abs((got[i] ?? NaN) - wanted);
        assert.ok(error <= bound, `${what}[${i}] is ${got[i]}, expected ${wanted} within ${bound}`);
    });
}

describe('convolution of bfloat16', () => {
    const { used } = native.instructionSets();
    afterEach(() => {
        native.useInstructionSet(used);
    });

    for (const one of cases) {
        it(`is within the bound of its sums: ${one.x.join('x')} by ${one.w.join('x')}`, () => {
            const x = uniformTensor(one.x, 'x');
            const w = uniformTensor(one.w, 'w');
            const shape = conv2d(x, w, null, one.geometry).shape;
            const dy = uniformTensor(shape, 'dy');
            const [xs, ws, dys] = [stored(x), stored(w), stored(dy)];
            const [y, dx, dw] = [sums(dys.length), sums(xs.length), sums(ws.length)];
            const add = (to: Sums, i: number, a = NaN, b = NaN): void => {
                to.value[i] = (to.value[i] ?? 0) + a * b;
                to.magnitude[i] = (to.magnitude[i] ?? 0) + Math.abs(a * b);
            };
            eachProduct(one.x, one.w, shape as Four, one.geometry, (i, k, j) => {
                add(y, j, xs[i], ws[k]);
                add(dx, i, ws[k], dys[j]);
                add(dw, k, xs[i], dys[j]);
            });
            y.length = sizeOf(one.w.slice(1));
            dx.length = sizeOf([one.w[0], one.w[2], one.w[3]]);
            dw.length = sizeOf([shape[0] ?? 0, shape[2] ?? 0, shape[3] ?? 0]);
            for (const set of instructionSets) {
                native.useInstructionSet(set);
                for (const dtype of ['float32', 'bfloat16'] as const) {
                    scope(() => {
                        const what = `${set} ${dtype}`;
                        assertSums(pass('conv2d', [x, w], shape, dtype, one), y, `${what} y`);
                        assertSums(
                            pass('conv2d_backward_input', [dy, w], one.x, dtype, one),
                            dx,
                            `${what} dx`,
                        );
                        assertSums(
                            pass('conv2d_backward_weight', [x, dy], one.w, dtype, one),
                            dw,
                            `${what} dw`,
                        );
                    });
                }
            }
        });
    }

    it('rounds float32 sums once, and takes any memory order', () => {
        for (const channels of [1, 6]) {
            for (const outs of [32, 35]) {
                const one: Case = {
                    x: [3, channels, 7, 9],
                    w: [outs, channels, 3, 3],
                    geometry: { padding: [1, 1] },
                };
                const [x, w] = [uniformTensor(one.x, 'x'), uniformTensor(one.w, 'w')];
                const last = permute(permute(x, [0, 2, 3, 1]).contiguous(), [0, 3, 1, 2]);
                const turned = permute(permute(w, [3, 2, 1, 0]).contiguous(), [3, 2, 1, 0]);
                for (const set of instructionSets) {
                    native.useInstructionSet(set);
                    const wide = pass('conv2d', [x, w], [3, outs, 7, 9], 'float32', one);
                    const rounded = pass('conv2d', [last, turned], [3, outs, 7, 9], 'bfloat16', one);
                    assert.deepEqual(rounded.dataSync(), wide.to('bfloat16').dataSync());
                }
            }
        }
    });

    it('lets NaN and infinity reach only the results that their pixel belongs to', () => {
        for (const set of instructionSets) {
            native.useInstructionSet(set);
            for (const [channels, width] of [
                [1, 5],
                [2, 5],
                [3, 4],
                [2, 6],
            ] as const) {
                for (const poison of [NaN, Infinity]) {
                    for (let at = 0; at < channels * width; at++) {
                        const data = new Float32Array(channels * width).fill(1);
                        data[at] = poison;
                        const x = fromTypedArray(data, [1, channels, 1, width], {
                            dtype: 'bfloat16',
                            requiresGrad: true,
                        });
                        const ones = new Float32Array(2 * channels * 2).fill(1);
                        const w = fromTypedArray(ones, [2, channels, 1, 2], {
                            dtype: 'bfloat16',
                            requiresGrad: true,
                        });
                        const y = conv2d(x, w);
                        const pixel = at % width;
                        stored(y).forEach((value, i) => {
                            const column = i % (width - 1);
                            assert.equal(
                                Number.isFinite(value),
                                column !== pixel && column + 1 !== pixel,
                                `${set} y[${i}]`,
                            );
                        });
                        const [dw] = grad([y], [w], {
                            gradients: [
                                fromTypedArray(new Float32Array(y.size).fill(1), y.shape, {
                                    dtype: 'bfloat16',
                                }),
                            ],
                        });
                        assert.ok(dw);
                        stored(dw).forEach((value, i) => {
                            const [channel, tap] = [Math.floor(i / 2) % channels, i % 2];
                            const meets =
                                channel === Math.floor(at / width) &&
                                pixel - tap >= 0 &&
                                pixel - tap < width - 1;
                            assert.equal(Number.isFinite(value), !meets, `${set} dw[${i}]`);
                        });
                    }
                }
            }
        }
    });
});
