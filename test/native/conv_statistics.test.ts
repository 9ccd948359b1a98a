import assert from 'node:assert/strict';
import { fromTypedArray, scope, Tensor, zeros, type DType } from '../../lib/index.js';
import { run } from '../../lib/native/call.js';
import { sizeOf } from '../../lib/tensor/shape.js';
import { availableSets, withSet, withThreads } from '../support/processor.js';
import { seededUniform, seedOf } from '../support/seeded.js';

interface Case {
    readonly name: string;
    readonly x: readonly [number, number, number, number];
    readonly w: readonly [number, number, number, number];
    readonly stride?: number;
    readonly padding?: number;
    readonly groups?: number;
    /** Added to every output: far from 0, squares must still be taken around the mean. */
    readonly bias?: number;
}

const cases: Case[] = [
    { name: 'one channel in', x: [3, 1, 9, 7], w: [32, 1, 3, 3], padding: 1 },
    { name: 'the second layer of the MNIST net', x: [5, 32, 14, 14], w: [64, 32, 3, 3], padding: 1 },
    { name: 'several bands', x: [2, 64, 41, 30], w: [5, 64, 3, 3], padding: 1 },
    { name: 'stride 2, channels beside the vectors', x: [2, 33, 61, 67], w: [17, 33, 3, 3], stride: 2 },
    { name: 'groups', x: [2, 34, 5, 4], w: [66, 17, 3, 3], groups: 2, padding: 1 },
    { name: 'a mean far from 0', x: [7, 4, 13, 13], w: [9, 4, 3, 3], bias: 300 },
    { name: 'one pixel an image', x: [21, 3, 3, 3], w: [8, 3, 3, 3] },
];

function random(shape: readonly number[], seed: string, dtype: DType): Tensor {
    const uniform = seededUniform(seedOf(seed));
    const data = Array.from({ length: sizeOf(shape) }, () => uniform() - 0.5);
    return fromTypedArray(dtype === 'float64' ? Float64Array.from(data) : Float32Array.from(data), shape);
}

function outputShape({ x, w, stride = 1, padding = 0 }: Case): [number, number, number, number] {
    const size = (axis: 2 | 3): number => Math.floor((x[axis] + 2 * padding - w[axis]) / stride) + 1;
    return [x[0], w[0], size(2), size(3)];
}

function convolve(one: Case, dtype: DType, withStatistics: boolean): Tensor[] {
    const { stride = 1, padding = 0, groups = 1 } = one;
    const bias = zeros([one.w[0]], { dtype }).add(one.bias ?? 0.25);
    const y = new Tensor(outputShape(one), dtype);
    const statistics = [0, 1].map(() => new Tensor([one.w[0]], 'float64'));
    const outputs = withStatistics ? [y, ...statistics] : [y];
    const geometry = [2, stride, stride, 4, padding, padding, padding, padding, 2, 1, 1, groups];
    run(
        withStatistics ? 'conv2d_statistics' : 'conv2d',
        [random(one.x, 'x', dtype), random(one.w, 'w', dtype), bias],
        outputs,
        geometry,
    );
    return outputs;
}

/** Mean and sum of squares around it of each channel, in float64. */
function twoPass(y: Tensor): { mean: number[]; squares: number[] } {
    const [, channels = 0, h = 0, w = 0] = y.shape;
    const lists = Array.from({ length: channels }, (): number[] => []);
    y.dataSync().forEach((value: number | bigint, i: number) => {
        lists[Math.floor(i / (h * w)) % channels]?.push(Number(value));
    });
    const mean = lists.map((list) => list.reduce((sum, value) => sum + value, 0) / list.length);
    const squares = lists.map((list, c) =>
        list.reduce((sum, value) => sum + (value - (mean[c] ?? 0)) ** 2, 0),
    );
    return { mean, squares };
}

const numbers = (x: Tensor | undefined): number[] => Array.from(x?.dataSync() ?? [], Number);

/** A chunk of at most 4096 values is summed in the compute type, all else in float64. */
function assertStatistics(one: Case, dtype: DType, what: string): void {
    scope(() => {
        const [plain] = convolve(one, dtype, false);
        const [y, mean, squares] = convolve(one, dtype, true);
        assert.deepEqual(numbers(y), numbers(plain), `${what}: y`);
        if (!y) return;
        const wanted = twoPass(y);
        const unit = dtype === 'float64' ? 2 ** -53 : 2 ** -24;
        const largest = Math.max(...numbers(y).map(Math.abs));
        const [meanBound, relative] = [64 * unit * largest, 512 * unit];
        wanted.mean.forEach((value, c) => {
            const got = numbers(mean)[c] ?? Number.NaN;
            assert.ok(Math.abs(got - value) <= meanBound, `${what}: mean ${c} is ${got}, expected ${value}`);
        });
        wanted.squares.forEach((value, c) => {
            const got = numbers(squares)[c] ?? Number.NaN;
            // The rounding of y - mean, where y is large.
            const bound =
                relative * value + 8 * unit * largest * Math.sqrt((value * sizeOf(y.shape)) / one.w[0]);
            assert.ok(Math.abs(got - value) <= bound, `${what}: squares ${c} are ${got}, expected ${value}`);
        });
    });
}

describe('convolution with statistics', () => {
    for (const set of availableSets) {
        it(`gives mean and squares of what it writes on ${set}`, () => {
            withSet(set, () => {
                for (const one of cases) assertStatistics(one, 'float32', `${one.name} on ${set}`);
            });
        });
    }

    it('gives mean and squares in float64', () => {
        for (const one of cases) assertStatistics(one, 'float64', one.name);
    });

    it('gives the same bits for 1, 2 and 3 threads', () => {
        for (const one of cases) {
            const all = (count: number): number[][] =>
                scope(() => withThreads(count, () => convolve(one, 'float32', true).map(numbers)));
            const alone = all(1);
            for (const count of [2, 3]) assert.deepEqual(all(count), alone, `${one.name}, ${count} threads`);
        }
    });

    it('lets batch norm go on with what it took', () => {
        scope(() => {
            const [first] = cases;
            if (!first) return;
            const [y, mean, squares] = convolve(first, 'float32', true);
            if (!y || !mean || !squares) return;
            const normalise = (inputs: Tensor[], training: number): number[][] => {
                const vectors = [0, 1, 2, 3].map(() => zeros([y.shape[1] ?? 0]));
                const out = new Tensor(y.shape, 'float32');
                run('batch_norm', inputs, [out, ...vectors], [0.1, 1e-5, training, 0]);
                return [out, ...vectors].map(numbers);
            };
            const given = normalise([y, mean, squares], 2);
            normalise([y], 1).forEach((list, i) => {
                list.forEach((value, j) => {
                    const got = given[i]?.[j] ?? Number.NaN;
                    assert.ok(
                        Math.abs(got - value) <= 1e-5 * Math.max(1, Math.abs(value)),
                        `${i}, ${j}: ${got}, ${value}`,
                    );
                });
            });
        });
    });

    it('refuses statistics of another size', () => {
        scope(() => {
            const y = new Tensor([1, 2, 3, 3], 'float32');
            const vectors = [2, 3].map((size) => new Tensor([size], 'float64'));
            assert.throws(() => {
                run(
                    'conv2d_statistics',
                    [zeros([1, 1, 3, 3]), zeros([2, 1, 1, 1])],
                    [y, ...vectors],
                    [2, 1, 1, 4, 0, 0, 0, 0, 2, 1, 1, 1],
                );
            }, /\[conv2d_statistics\] expected one value for each of 2 channels/);
        });
    });
});
