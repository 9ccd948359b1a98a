import assert from 'node:assert/strict';
import { fromTypedArray, scope, Tensor, zeros, type DType } from '../../lib/index.js';
import { binaryCode, run, unaryCode } from '../../lib/native/call.js';
import { sizeOf } from '../../lib/tensor/shape.js';
import { seededUniform, seedOf } from '../support/seeded.js';
import { availableSets, withSet, withThreads } from '../support/processor.js';

type Shape = readonly [number, number, number, number];

const WINDOWS = [2, 2, 2, 2, 2, 2, 2, 0, 0, 2, 1, 1];
const NO_CONSTANTS = [0, 0];

interface Setting {
    readonly shape: Shape;
    readonly dtype: DType;
    readonly affine: boolean;
    /** 0 = running statistics, 1 = those of the batch, 2 = those of the batch, given. */
    readonly training: 0 | 1 | 2;
    readonly channelsLast: boolean;
}

/** Quarters in [-2, 2], so that windows hold ties, at scales and means that differ between channels. */
function draw(shape: readonly number[], seed: string, dtype: DType): Tensor {
    const uniform = seededUniform(seedOf(seed));
    const inner = sizeOf(shape.slice(2));
    const data = Array.from({ length: sizeOf(shape) }, (_, i) => {
        const channel = Math.floor(i / inner) % (shape[1] ?? 1);
        return (Math.round(uniform() * 16) / 4 - 2) * (1 + channel) + 3 * channel;
    });
    return fromTypedArray(dtype === 'float64' ? Float64Array.from(data) : Float32Array.from(data), shape);
}

/** The same elements with the channels side by side, as convolutions leave them. */
function channelsLast(x: Tensor): Tensor {
    const y = new Tensor(x.shape, x.dtype);
    const index = new Tensor(x.shape, 'uint8');
    run('max_pool2d', [x], [y, index], [2, 1, 1, 2, 1, 1, 2, 0, 0, 2, 1, 1]);
    return y;
}

interface Inputs {
    readonly x: Tensor;
    readonly affine: Tensor[];
    readonly statistics: Tensor[];
    readonly running: Tensor[];
    readonly parameters: number[];
}

function vectors(channels: number, dtype: DType, seed: string): [Tensor, Tensor] {
    const [a, b] = ['a', 'b'].map((name) => draw([1, channels], seed + name, dtype).reshape([channels]));
    if (!a || !b) throw new Error('no vectors');
    return [a, b];
}

/** Mean and sum of squares around it, or the running statistics. */
function statistics({ shape, training }: Setting, x: Tensor): Tensor[] {
    if (training === 1) return [];
    const [n, c, h, w] = shape;
    const data = Array.from(x.dataSync(), Number);
    const mean = new Float64Array(c);
    const squares = new Float64Array(c);
    const channel = (i: number): number => Math.floor(i / (h * w)) % c;
    data.forEach((value, i) => {
        mean[channel(i)] = (mean[channel(i)] ?? 0) + value / (n * h * w);
    });
    data.forEach((value, i) => {
        squares[channel(i)] = (squares[channel(i)] ?? 0) + (value - (mean[channel(i)] ?? 0)) ** 2;
    });
    return [fromTypedArray(mean, [c]), fromTypedArray(squares, [c])];
}

function makeInputs(setting: Setting): Inputs {
    const { shape, dtype, affine, training } = setting;
    const plain = draw(shape, 'x', dtype);
    const [weight, bias] = vectors(shape[1], dtype, 'affine');
    return {
        x: setting.channelsLast ? channelsLast(plain) : plain,
        affine: affine ? [weight.add(0.5), bias] : [],
        statistics: statistics(setting, plain),
        running: training === 0 ? [] : [zeros([shape[1]], { dtype }), zeros([shape[1]], { dtype })],
        parameters: [0.1, 1e-5, training, affine ? 1 : 0],
    };
}

const empty = (shape: readonly number[], dtype: DType): Tensor => new Tensor(shape, dtype);
const numbers = (x: Tensor): number[] => Array.from(x.dataSync(), Number);

interface Forward {
    readonly y: Tensor;
    readonly mean: Tensor;
    readonly inverse: Tensor;
    readonly running: Tensor[];
}

function normalise(op: string, setting: Setting, outputs: Tensor[]): Forward {
    const { x, affine, statistics: given, running, parameters } = makeInputs(setting);
    const channels = [setting.shape[1]];
    const [mean, inverse] = [empty(channels, setting.dtype), empty(channels, setting.dtype)];
    run(op, [x, ...affine, ...given], [...outputs, mean, inverse, ...running], parameters);
    const [y] = outputs;
    if (!y) throw new Error('no output');
    return { y, mean, inverse, running };
}

function relu(x: Tensor): Tensor {
    const y = empty(x.shape, x.dtype);
    run('unary', [x], [y], [unaryCode('relu'), ...NO_CONSTANTS]);
    return y;
}

function reluBackward(dy: Tensor, y: Tensor): Tensor {
    const dx = empty(y.shape, y.dtype);
    run('binary', [dy, y], [dx], [binaryCode('relu_backward'), ...NO_CONSTANTS]);
    return dx;
}

function pooledShape([n, c, h, w]: Shape): Shape {
    return [n, c, Math.floor(h / 2), Math.floor(w / 2)];
}

function plainBackward(setting: Setting, dy: Tensor, { mean, inverse }: Forward): Tensor[] {
    const { x, affine, parameters } = makeInputs(setting);
    const results = [x.shape, mean.shape, mean.shape].map((shape) => empty(shape, setting.dtype));
    run('batch_norm_backward', [dy, x, mean, inverse, ...affine.slice(0, 1)], results, parameters);
    return results;
}

interface Results {
    readonly exact: Record<string, number[]>;
    /** Sums whose order differs between the two. */
    readonly close: Record<string, number[]>;
}

function forwardResults({ y, mean, inverse, running }: Forward, index?: Tensor): Record<string, number[]> {
    return {
        y: numbers(y),
        mean: numbers(mean),
        inverse: numbers(inverse),
        ...(index ? { index: numbers(index) } : {}),
        ...Object.fromEntries(running.map((x, i) => [`running ${i}`, numbers(x)])),
    };
}

function named(gradients: Tensor[]): Record<string, number[]> {
    return Object.fromEntries(
        gradients.map((x, i) => [['dx', 'dweight', 'dbias'][i] ?? '', numbers(x)] as const),
    );
}

function reluResults(setting: Setting, fused: boolean): Results {
    const dy = draw(setting.shape, 'dy', setting.dtype);
    if (!fused) {
        const forward = normalise('batch_norm', setting, [empty(setting.shape, setting.dtype)]);
        const y = relu(forward.y);
        const gradients = plainBackward(setting, reluBackward(dy, y), forward);
        return { exact: { ...forwardResults({ ...forward, y }), ...named(gradients) }, close: {} };
    }
    const forward = normalise('batch_norm_relu', setting, [empty(setting.shape, setting.dtype)]);
    const { x, affine, parameters } = makeInputs(setting);
    const gradients = [x.shape, forward.mean.shape, forward.mean.shape].map((s) => empty(s, setting.dtype));
    const vectorsOf = [forward.mean, forward.inverse, ...affine.slice(0, 1)];
    run('batch_norm_relu_backward', [dy, x, forward.y, ...vectorsOf], gradients, parameters);
    return { exact: { ...forwardResults(forward), ...named(gradients) }, close: {} };
}

function poolResults(setting: Setting, fused: boolean): Results {
    const { dtype } = setting;
    const shape = pooledShape(setting.shape);
    const dy = draw(shape, 'dy', dtype);
    const [y, index] = [empty(shape, dtype), empty(shape, 'uint8')];
    if (!fused) {
        const forward = normalise('batch_norm', setting, [empty(setting.shape, dtype)]);
        const activated = relu(forward.y);
        run('max_pool2d', [activated], [y, index], WINDOWS);
        const spread = empty(setting.shape, dtype);
        run('max_pool2d_backward', [dy, index], [spread], WINDOWS);
        const gradients = plainBackward(setting, reluBackward(spread, activated), forward);
        return { exact: forwardResults({ ...forward, y }, index), close: named(gradients) };
    }
    const forward = normalise('batch_norm_relu_pool', setting, [y, index]);
    const { x, affine, parameters } = makeInputs(setting);
    const gradients = [x.shape, forward.mean.shape, forward.mean.shape].map((s) => empty(s, dtype));
    const vectorsOf = [forward.mean, forward.inverse, ...affine.slice(0, 1)];
    run('batch_norm_relu_pool_backward', [dy, y, index, x, ...vectorsOf], gradients, parameters);
    return { exact: forwardResults(forward, index), close: named(gradients) };
}

function assertSame(actual: Results, wanted: Results, setting: Setting, what: string): void {
    assert.deepEqual(actual.exact, wanted.exact, what);
    const unit = setting.dtype === 'float64' ? 2 ** -53 : 2 ** -24;
    for (const [name, values] of Object.entries(wanted.close)) {
        const most = Math.max(...values.map(Math.abs), 1e-3);
        // Each channel sums as many terms as the image has windows; no chunk sums more than a few hundred in a row.
        const bound = 64 * unit * most * Math.sqrt(sizeOf(setting.shape) / setting.shape[1]);
        actual.close[name]?.forEach((value, i) => {
            const difference = Math.abs(value - (values[i] ?? Number.NaN));
            assert.ok(difference <= bound, `${what}: ${name}[${i}] is ${value}, not ${values[i]} (${bound})`);
        });
        assert.equal(actual.close[name]?.length, values.length);
    }
}

const shapes: Shape[] = [
    [2, 1, 4, 4],
    [3, 5, 7, 9],
    [2, 8, 6, 5],
    [1, 16, 5, 6],
    [2, 17, 2, 3],
    [5, 32, 14, 14],
    [3, 33, 9, 4],
    [2, 64, 14, 14],
    [1, 71, 3, 40],
];

const settings: Setting[] = shapes.flatMap((shape, i) =>
    ([0, 1, 2] as const).map((training) => ({
        shape,
        dtype: 'float32' as const,
        affine: (i + training) % 2 === 0,
        training,
        channelsLast: i % 3 !== 1,
    })),
);

describe('fused batch normalisation', () => {
    for (const [name, results] of [
        ['relu', reluResults],
        ['relu and pooling', poolResults],
    ] as const) {
        for (const set of availableSets) {
            it(`with ${name} gives what the ops one by one give on ${set}`, () => {
                withSet(set, () => {
                    for (const setting of settings) {
                        const what = JSON.stringify(setting);
                        scope(() => {
                            assertSame(results(setting, true), results(setting, false), setting, what);
                        });
                    }
                });
            });
        }

        it(`with ${name} works in float64`, () => {
            for (const setting of settings) {
                const wide = { ...setting, dtype: 'float64' as const };
                scope(() => {
                    assertSame(results(wide, true), results(wide, false), wide, JSON.stringify(wide));
                });
            }
        });

        it(`with ${name} has the same bits for 1, 2 and 3 threads`, () => {
            const setting: Setting = {
                shape: [9, 40, 30, 31],
                dtype: 'float32',
                affine: true,
                training: 1,
                channelsLast: true,
            };
            const alone = scope(() => withThreads(1, () => results(setting, true)));
            for (const count of [2, 3]) {
                const several = scope(() => withThreads(count, () => results(setting, true)));
                assert.deepEqual(several, alone, `${count} threads`);
            }
        });
    }

    it('takes NaN as the largest, as pooling does', () => {
        scope(() => {
            const data = Float32Array.from({ length: 2 * 16 }, (_, i) => (i % 5 === 3 ? Number.NaN : i % 7));
            const x = fromTypedArray(data, [1, 2, 4, 4]);
            const given = [zeros([2], { dtype: 'float64' }), zeros([2], { dtype: 'float64' }).add(16)];
            const [y, z] = [empty(x.shape, 'float32'), empty([1, 2, 2, 2], 'float32')];
            const [p, i, j] = [empty(z.shape, 'float32'), empty(z.shape, 'uint8'), empty(z.shape, 'uint8')];
            const rest = (): Tensor[] => [empty([2], 'float32'), empty([2], 'float32')];
            run('batch_norm', [x, ...given], [y, ...rest()], [0.1, 0, 2, 0]);
            run('max_pool2d', [relu(y)], [p, i], WINDOWS);
            run('batch_norm_relu_pool', [x, ...given], [z, j, ...rest()], [0.1, 0, 2, 0]);
            assert.deepEqual([numbers(z), numbers(j)], [numbers(p), numbers(i)]);
            assert.ok(numbers(z).some(Number.isNaN));
        });
    });

    it('refuses operands that do not fit', () => {
        scope(() => {
            const x = zeros([2, 3, 4, 4]);
            const vector = (): Tensor => empty([3], 'float32');
            const pooled = empty([2, 3, 2, 3], 'float32');
            assert.throws(() => {
                run(
                    'batch_norm_relu_pool',
                    [x],
                    [pooled, empty([2, 3, 2, 3], 'uint8'), vector(), vector()],
                    [0.1, 0, 1, 0],
                );
            }, /\[batch_norm_relu_pool\] expects \[N, C, H, W\] and pooled/);
            assert.throws(() => {
                run(
                    'batch_norm_relu_pool',
                    [x],
                    [empty([2, 3, 2, 2], 'float32'), empty([2, 3, 2, 2], 'int32'), vector(), vector()],
                    [0.1, 0, 1, 0],
                );
            }, /\[batch_norm_relu_pool\] the index must be uint8/);
            assert.throws(() => {
                run(
                    'batch_norm_relu_backward',
                    [zeros([2, 3, 4, 5]), x, x, zeros([3]), zeros([3])],
                    [empty(x.shape, 'float32'), vector(), vector()],
                    [0.1, 0, 1, 0],
                );
            }, /\[batch_norm_relu_backward\] expected operands of one shape/);
        });
    });
});
