import assert from 'node:assert/strict';
import { fromTypedArray, scope, Tensor, type DType } from '../../lib/index.js';
import { binaryCode, run } from '../../lib/native/call.js';
import { sizeOf } from '../../lib/tensor/shape.js';
import { availableSets, withSet, withThreads } from '../support/processor.js';
import { seededUniform, seedOf } from '../support/seeded.js';

type Shape = readonly [number, number, number, number];

interface Case {
    readonly name: string;
    readonly x: Shape;
    readonly w: Shape;
    readonly stride?: number;
    readonly padding?: number;
    readonly groups?: number;
}

const cases: Case[] = [
    { name: 'one channel', x: [3, 1, 9, 7], w: [32, 1, 3, 3], padding: 1 },
    { name: 'Winograd', x: [2, 32, 14, 14], w: [64, 32, 3, 3], padding: 1 },
    { name: 'several bands', x: [2, 64, 41, 30], w: [5, 64, 3, 3], padding: 1 },
    { name: 'channels beside the vectors', x: [2, 33, 21, 17], w: [17, 33, 3, 3], stride: 2 },
    { name: 'groups', x: [2, 34, 5, 4], w: [66, 17, 3, 3], groups: 2, padding: 1 },
    { name: 'depthwise', x: [2, 19, 9, 11], w: [19, 1, 3, 3], groups: 19, padding: 1 },
    { name: 'a pixel', x: [2, 16, 5, 4], w: [21, 16, 1, 1] },
    { name: 'no images', x: [0, 3, 5, 5], w: [4, 3, 3, 3] },
];

function random(shape: readonly number[], seed: string, dtype: DType): Tensor {
    const uniform = seededUniform(seedOf(seed));
    const data = Array.from({ length: sizeOf(shape) }, () => uniform() - 0.5);
    return fromTypedArray(dtype === 'float64' ? Float64Array.from(data) : Float32Array.from(data), shape).to(
        dtype,
    );
}

/** The same convolution as one call, and with a relu behind it. */
function convolve(one: Case, dtype: DType, hasBias: boolean, bad = 0): unknown {
    const { stride = 1, padding = 0, groups = 1 } = one;
    const size = (axis: 2 | 3): number => Math.floor((one.x[axis] + 2 * padding - one.w[axis]) / stride) + 1;
    const shape = [one.x[0], one.w[0], size(2), size(3)];
    const x = random(one.x, 'x', dtype);
    if (bad !== 0 && one.x[0] > 0)
        x.select(0, one.x[0] - 1)
            .select(0, 0)
            .fill_(bad);
    const inputs = [x, random(one.w, 'w', dtype), ...(hasBias ? [random([one.w[0]], 'b', dtype)] : [])];
    const geometry = [2, stride, stride, 4, padding, padding, padding, padding, 2, 1, 1, groups];
    const [fused, plain] = [new Tensor(shape, dtype), new Tensor(shape, dtype)];
    run('conv2d_relu', inputs, [fused], geometry);
    run('conv2d', inputs, [plain], geometry);
    assert.deepEqual(fused.strides, plain.strides);
    return [fused.toArray(), plain.relu().toArray()];
}

/** The gradient of the input behind a relu's result, as one call and as two. */
function backward(one: Case, dtype: DType, bad = 0): [unknown, unknown] {
    const { stride = 1, padding = 0, groups = 1 } = one;
    const size = (axis: 2 | 3): number => Math.floor((one.x[axis] + 2 * padding - one.w[axis]) / stride) + 1;
    const dy = random([one.x[0], one.w[0], size(2), size(3)], 'dy', dtype);
    const y = random(one.x, 'y', dtype).relu();
    if (bad !== 0 && one.x[0] > 0) {
        dy.select(0, one.x[0] - 1)
            .select(0, 0)
            .fill_(bad);
        y.select(0, 0).select(0, 0).fill_(bad);
    }
    const w = random(one.w, 'w', dtype);
    const geometry = [2, stride, stride, 4, padding, padding, padding, padding, 2, 1, 1, groups];
    const [fused, plain] = [new Tensor(one.x, dtype), new Tensor(one.x, dtype)];
    run('conv2d_backward_input_relu', [dy, w, y], [fused], geometry);
    run('conv2d_backward_input', [dy, w], [plain], geometry);
    assert.deepEqual(fused.strides, plain.strides);
    const masked = new Tensor(one.x, dtype);
    run('binary', [plain, y], [masked], [binaryCode('relu_backward'), 0, 0]);
    return [fused.toArray(), masked.toArray()];
}

describe('a convolution with its relu', () => {
    for (const set of availableSets) {
        for (const dtype of ['float32', 'float64', 'bfloat16', 'float16'] as const) {
            it(`has the bits of the two calls backward: ${dtype}, ${set}`, () => {
                for (const one of cases) {
                    for (const threads of [1, 3]) {
                        for (const bad of [0, NaN]) {
                            const [fused, plain] = withSet(set, () =>
                                withThreads(threads, () => scope(() => backward(one, dtype, bad))),
                            );
                            assert.deepEqual(fused, plain, `${one.name}, ${threads} threads`);
                        }
                    }
                }
            });
        }
    }

    for (const set of availableSets) {
        for (const dtype of ['float32', 'float64', 'bfloat16', 'float16'] as const) {
            for (const one of cases) {
                it(`has the bits of the two calls: ${one.name}, ${dtype}, ${set}`, () => {
                    for (const threads of [1, 3]) {
                        for (const [hasBias, bad] of [
                            [true, 0],
                            [false, 0],
                            [true, NaN],
                            [true, -Infinity],
                        ] as const) {
                            const [fused, plain] = withSet(set, () =>
                                withThreads(threads, () => scope(() => convolve(one, dtype, hasBias, bad))),
                            ) as unknown[];
                            assert.deepEqual(fused, plain);
                        }
                    }
                });
            }
        }
    }

    it('refuses tensors that are no floats of one kind', () => {
        const geometry = [2, 1, 1, 4, 0, 0, 0, 0, 2, 1, 1, 1];
        const x = random([1, 1, 3, 3], 'x', 'float64');
        const w = random([2, 1, 3, 3], 'w', 'float32');
        assert.throws(
            () => run('conv2d_relu', [x, w], [new Tensor([1, 2, 1, 1], 'float32')], geometry),
            /conv2d_relu/,
        );
        const [dy, dx] = [random([1, 2, 1, 1], 'dy', 'float32'), new Tensor([1, 1, 3, 3], 'float32')];
        const refused: [Tensor, RegExp][] = [
            [x, /\[conv2d_backward_input_relu\] needs operands of one dtype/],
            [dy, /\[conv2d_backward_input_relu\] needs y of relu as large as dx/],
        ];
        for (const [y, message] of refused)
            assert.throws(() => run('conv2d_backward_input_relu', [dy, w, y], [dx], geometry), message);
    });
});
