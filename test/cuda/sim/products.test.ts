import './plugin.js';
import assert from 'node:assert/strict';
import { fromTypedArray, scope, Tensor, zeros, type DType } from '../../../lib/index.js';
import { binaryCode, run, unaryCode } from '../../../lib/native/call.js';
import { sizeOf, type Shape } from '../../../lib/tensor/shape.js';
import { seededUniform, seedOf } from '../../support/seeded.js';

const uniform = seededUniform(seedOf('products'));

function draw(shape: Shape, dtype: DType): Tensor {
    const data = Float64Array.from({ length: sizeOf(shape) }, () => uniform() * 2 - 1);
    return fromTypedArray(data, shape).to(dtype);
}

/** The same elements from where no 16-byte access may begin. */
function fromOddElement(x: Tensor): Tensor {
    const wide = zeros([x.size + 1], { dtype: x.dtype, device: x.device });
    return wide
        .slice(0, 1, x.size + 1)
        .reshape(x.shape)
        .copy_(x);
}

/** Sums of the same numbers in another order; results in two bytes may round to the neighbour. */
function tolerance(dtypes: readonly DType[]): number {
    if (dtypes.includes('bfloat16')) return 9e-3;
    if (dtypes.includes('float16')) return 1.5e-3;
    return dtypes.includes('float32') ? 3e-5 : 1e-12;
}

type Result = readonly [shape: Shape, dtype: DType];

/** The op on the CPU and on the GPU: `results` are new, `state` is changed in place. */
function compare(
    label: string,
    op: string,
    inputs: readonly Tensor[],
    results: readonly Result[],
    parameters: number[],
    state: readonly Tensor[] = [],
): void {
    const valuesOn = (device: 'cpu' | 'cuda'): Tensor[] => {
        const moved = inputs.map((x) => (device === 'cpu' ? x : x.to(device)));
        const made = results.map(([shape, dtype]) => new Tensor(shape, dtype));
        const changed = state.map((x) => (device === 'cpu' ? x.clone() : x.to(device)));
        run(op, moved, [...made, ...changed], parameters);
        const all = [...made, ...changed];
        all.forEach((x) => {
            assert.equal(x.device.startsWith(device), true, `${op}: a result on ${x.device}`);
        });
        return all.map((x) => x.to('cpu'));
    };
    scope(() => {
        const [wanted, got] = [valuesOn('cpu'), valuesOn('cuda')];
        wanted.forEach((x, i) => {
            const allowed = tolerance([x.dtype, ...inputs.map((input) => input.dtype)]);
            const [a, b] = [x, got[i] ?? x].map(
                (y) => y.to('float64').contiguous().dataSync() as Float64Array,
            );
            a?.forEach((value, at) => {
                const other = b?.[at] ?? NaN;
                const close = Math.abs(value - other) <= allowed * (1 + Math.abs(value));
                assert.ok(
                    close,
                    `${op} ${label}: element ${at} of output ${i} is ${other}, expected ${value}`,
                );
            });
        });
    });
}

// Around one tile, several, parts of the depth, 16-byte pieces and their absence.
const sizes = [
    [1, 1, 1],
    [5, 65, 3],
    [64, 10, 33],
    [7, 129, 16],
    [64, 128, 304],
    [130, 72, 129],
    [4, 64, 1600],
    [3, 4, 0],
] as const;
const floats: readonly DType[] = ['float32', 'float64', 'float16', 'bfloat16'];

describe('products on the GPU', () => {
    for (const dtype of floats) {
        it(`multiply as the CPU does in ${dtype}`, () => {
            for (const [m, n, k] of sizes) {
                const label = `${m} x ${n} x ${k}`;
                const [x, w, b] = [draw([m, k], dtype), draw([n, k], dtype), draw([n], dtype)];
                const [dy, kept, r] = [draw([m, n], dtype), draw([m, k], dtype), draw([m, n], dtype)];
                const y: Result = [[m, n], dtype];
                compare(label, 'matmul', [x, draw([k, n], dtype)], [y], [0, 0]);
                compare(label, 'matmul', [draw([k, m], dtype), w], [y], [1, 1]);
                compare(label, 'linear', [x, w, b], [y], []);
                compare(label, 'linear_activation', [x, w, b], [y, y], [unaryCode('relu'), 0, 0]);
                compare(label, 'linear_activation', [x, w], [y], [unaryCode('tanh'), 0, 0]);
                compare(label, 'linear_residual', [x, w, r, b], [y], [binaryCode('add'), 0, 0]);
                compare(label, 'linear_residual', [x, w, r], [y], [binaryCode('sub'), 0, 0]);
                const mask = [binaryCode('relu_backward'), 0, 0];
                compare(label, 'linear_backward_input', [dy, w, kept], [[[m, k], dtype]], mask);
                const gradients: Result[] = [
                    [[n, k], dtype],
                    [[n], dtype],
                ];
                compare(label, 'linear_backward_weight', [dy, x], gradients, []);
            }
        });
    }

    for (const dtype of floats.filter((each) => each !== 'float64')) {
        it(`update with the gradients of ${dtype} as the CPU does`, () => {
            const manyTiles = [3, 256, 784] as const;
            for (const [m, n, k] of dtype === 'float32' ? [...sizes, manyTiles] : sizes) {
                const [dy, x] = [draw([m, n], dtype), draw([m, k], dtype)];
                const group = (count: number): Tensor[] =>
                    [[n, k], [n]].flatMap((shape) => [
                        draw(shape, 'float32'),
                        ...Array.from({ length: count }, () => draw(shape, 'float32').square()),
                    ]);
                const adam = [1e-2, 0.9, 0.99, 1e-8, 0.1, 3];
                const label = `${m} x ${n} x ${k}`;
                compare(label, 'linear_backward_weight_adam', [dy, x], [], [...adam, 0, 0, 0], group(2));
                compare(label, 'linear_backward_weight_adam', [dy, x], [], [...adam, 1, 1, 0], group(3));
                const sgd = [0.1, 0.9, 0.5, 0.1, 1, 1, 0, 0];
                compare(label, 'linear_backward_weight_sgd', [dy, x], [], sgd, group(1));
            }
        });
    }

    it('take tiles of 64 x 64 where those of 32 x 32 would come in two rounds', () => {
        const [m, n, k] = [384, 376, 24];
        const y: Result = [[m, n], 'bfloat16'];
        const [x, w, b] = [draw([m, k], 'bfloat16'), draw([n, k], 'bfloat16'), draw([n], 'bfloat16')];
        const [xT, wT] = [draw([k, m], 'bfloat16'), draw([k, n], 'bfloat16')];
        compare('64', 'linear_activation', [x, w, b], [y], [unaryCode('relu'), 0, 0]);
        compare('64', 'matmul', [x, wT], [y], [0, 0]);
        compare('64', 'matmul', [xT, w], [y], [1, 1]);
        const gradients: Result[] = [
            [[m, n], 'float32'],
            [[m], 'float32'],
        ];
        compare('64', 'linear_backward_weight', [xT, wT], gradients, []);
    });

    it('leave large products to the library', () => {
        const [m, n, k] = [512, 520, 1032];
        for (const dtype of ['float32', 'bfloat16'] as const) {
            const [x, w, b, dy] = [
                draw([m, k], dtype),
                draw([n, k], dtype),
                draw([n], dtype),
                draw([m, n], dtype),
            ];
            const y: Result = [[m, n], dtype];
            compare('large', 'linear', [x, w, b], [y], []);
            compare('large', 'linear_activation', [x, w, b], [y, y], [unaryCode('relu'), 0, 0]);
            const gradients: Result[] = [
                [[n, k], 'float32'],
                [[n], 'float32'],
            ];
            compare('large', 'linear_backward_weight', [dy, x], gradients, []);
        }
        const batches = [draw([4, 260, 512], 'float64'), draw([512, 520], 'float64')];
        compare('large', 'matmul', batches, [[[4, 260, 520], 'float64']], [0, 0]);
    });

    it('multiply batches that broadcast, and integers that wrap', () => {
        for (const dtype of [...floats, 'int64', 'int32', 'uint8'] as const) {
            const whole = (shape: Shape): Tensor =>
                draw(shape, 'float64')
                    .mul(100)
                    .to(dtype === 'uint8' ? 'int32' : dtype);
            const factors = [whole([3, 1, 17, 24]).to(dtype), whole([5, 24, 16]).to(dtype)];
            if (floats.includes(dtype)) factors.forEach((x) => x.div_(100));
            compare(dtype, 'matmul', factors, [[[3, 5, 17, 16], dtype]], [0, 0]);
        }
    });
});

// Images, channels, height, width, filters, kernel, groups, stride, padding, dilation
const images = [
    { x: [2, 3, 7, 6], w: [4, 3, 3, 3], groups: 1, stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1] },
    {
        x: [2, 16, 9, 8],
        w: [16, 16, 3, 3],
        groups: 1,
        stride: [1, 1],
        padding: [1, 1, 1, 1],
        dilation: [1, 1],
    },
    { x: [2, 8, 8, 9], w: [8, 4, 3, 2], groups: 2, stride: [2, 3], padding: [1, 0, 2, 1], dilation: [2, 1] },
    {
        x: [2, 32, 8, 8],
        w: [16, 16, 3, 3],
        groups: 2,
        stride: [2, 2],
        padding: [1, 1, 1, 1],
        dilation: [1, 1],
    },
    { x: [1, 6, 9, 9], w: [6, 1, 3, 3], groups: 6, stride: [2, 2], padding: [1, 1, 1, 1], dilation: [1, 1] },
    { x: [3, 8, 5, 5], w: [16, 8, 1, 1], groups: 1, stride: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1] },
    {
        x: [1, 1, 28, 28],
        w: [32, 1, 5, 5],
        groups: 1,
        stride: [1, 1],
        padding: [2, 2, 2, 2],
        dilation: [1, 1],
    },
];
// By patches: several tiles, pictures in a tile, blocks of channels, chunks of them, groups, odd steps.
const patches = [
    {
        x: [2, 16, 7, 6],
        w: [16, 1, 3, 2],
        groups: 16,
        stride: [2, 1],
        padding: [1, 2, 0, 1],
        dilation: [1, 2],
    },
    {
        x: [3, 40, 9, 7],
        w: [72, 40, 3, 3],
        groups: 1,
        stride: [1, 1],
        padding: [1, 1, 0, 2],
        dilation: [1, 1],
    },
    {
        x: [5, 32, 4, 6],
        w: [48, 16, 3, 2],
        groups: 2,
        stride: [1, 1],
        padding: [2, 1, 1, 0],
        dilation: [2, 1],
    },
    {
        x: [2, 16, 11, 12],
        w: [32, 16, 4, 3],
        groups: 1,
        stride: [2, 3],
        padding: [1, 2, 1, 1],
        dilation: [1, 1],
    },
];

describe('convolutions on the GPU', () => {
    for (const dtype of floats) {
        for (const channelsLast of [false, true]) {
            it(`are the CPU's in ${dtype}${channelsLast ? ', channels last' : ''}`, () => {
                const all = dtype !== 'float64' ? [...images, ...patches] : images;
                for (const { x: shape, w: kernel, groups, stride, padding, dilation } of all) {
                    const [n = 0, c = 0, h = 0, w = 0] = shape;
                    const [o = 0, , kh = 0, kw = 0] = kernel;
                    const side = (size: number, k: number, axis: number): number =>
                        Math.floor(
                            (size +
                                (padding[2 * axis] ?? 0) +
                                (padding[2 * axis + 1] ?? 0) -
                                (k - 1) * (dilation[axis] ?? 1) -
                                1) /
                                (stride[axis] ?? 1),
                        ) + 1;
                    const out = [n, o, side(h, kh, 0), side(w, kw, 1)];
                    const image = ([a = 0, b = 0, d = 0, e = 0]: Shape): Tensor =>
                        channelsLast
                            ? draw([a, d, e, b], dtype).permute(0, 3, 1, 2)
                            : draw([a, b, d, e], dtype);
                    const [x, filters, dy, y] = [image(shape), draw(kernel, dtype), image(out), image(shape)];
                    const bias = draw([o], dtype);
                    const parameters = [2, ...stride, 4, ...padding, 2, ...dilation, groups];
                    const label = `${shape.join('x')} with ${kernel.join('x')}`;
                    const moments: Result[] = [
                        [[o], 'float32'],
                        [[o], 'float32'],
                    ];
                    compare(label, 'conv2d', [x, filters, bias], [[out, dtype]], parameters);
                    compare(label, 'conv2d_relu', [x, filters], [[out, dtype]], parameters);
                    compare(
                        label,
                        'conv2d_statistics',
                        [x, filters, bias],
                        [[out, dtype], ...moments],
                        parameters,
                    );
                    const inputs = [dy, filters];
                    compare(
                        label,
                        'conv2d_backward_input',
                        [...inputs, draw([c], dtype)],
                        [[shape, dtype]],
                        parameters,
                    );
                    compare(
                        label,
                        'conv2d_backward_input_relu',
                        [...inputs, y],
                        [[shape, dtype]],
                        parameters,
                    );
                    const gradients: Result[] = [
                        [kernel, dtype],
                        [[o], dtype],
                    ];
                    compare(label, 'conv2d_backward_weight', [x, dy], gradients, parameters);
                }
            });
        }
    }

    it('read no patch of more places than 32 bits can count', () => {
        const dilation = 4190212; // 1025 of them and 1024 are 1028 in 32 bits
        const [x, w] = [draw([2, 1, 1, 1], 'float32'), draw([8, 1, 1, 2], 'float32')];
        const parameters = [2, 1, 1, 4, 0, 0, 0, dilation, 2, 1, dilation, 1];
        compare('far apart', 'conv2d', [x, w], [[[2, 8, 1, 1], 'float32']], parameters);
    });

    // Kernels that copy 16 bytes at a time must not decline such views either: another algorithm has other bits.
    it('have the same bits for views that begin at an odd element', () => {
        const rows = [
            { x: [2, 16, 5, 4], w: [24, 16, 1, 1], out: [5, 4], pad: 0, groups: 1 },
            { x: [2, 8, 5, 4], w: [16, 8, 3, 3], out: [5, 4], pad: 1, groups: 1 },
            { x: [2, 3, 5, 4], w: [8, 3, 3, 3], out: [5, 4], pad: 1, groups: 1 },
            { x: [2, 8, 5, 4], w: [8, 1, 3, 3], out: [5, 4], pad: 1, groups: 8 },
        ] as const;
        for (const { x: shape, w: kernel, out, pad, groups } of rows) {
            for (const dtype of ['float32', 'float16', 'bfloat16'] as const) {
                scope(() => {
                    const [n, c, h, width] = shape;
                    const o = kernel[0];
                    const last = (x: Tensor): Tensor => x.permute(0, 3, 1, 2);
                    const x = [n, h, width, c];
                    const dy = [n, ...out, o];
                    const taps = [o, kernel[2], kernel[3], kernel[1]];
                    const parameters = [2, 1, 1, 4, pad, pad, pad, pad, 2, 1, 1, groups];
                    const result = (of: Shape): Result => [[of[0], of[3], of[1], of[2]] as Shape, dtype];
                    const moments: Result = [[o], 'float32'];
                    const bits = (op: string, given: readonly Shape[], results: readonly Result[]): void => {
                        const values = given.map((each) => draw(each, dtype).to('cuda'));
                        const [plain, displaced] = [values, values.map(fromOddElement)].map((inputs) => {
                            const made = results.map(
                                ([size, type]) => new Tensor(size, type, { device: 'cuda' }),
                            );
                            run(op, inputs.map(last), made, parameters);
                            return made.map((y) => y.to('cpu').to('float64').toArray());
                        });
                        assert.deepEqual(displaced, plain, `${op} of ${dtype}, ${kernel.join('x')}`);
                    };
                    bits('conv2d', [x, taps], [result(dy)]);
                    bits('conv2d_relu', [x, taps], [result(dy)]);
                    bits('conv2d_statistics', [x, taps], [result(dy), moments, moments]);
                    bits('conv2d_backward_input', [dy, taps], [result(x)]);
                    bits('conv2d_backward_input_relu', [dy, taps, x], [result(x)]);
                    bits(
                        'conv2d_backward_weight',
                        [x, dy],
                        [
                            [kernel, dtype],
                            [[o], dtype],
                        ],
                    );
                });
            }
        }
    });

    // So many groups that a block takes several tiles of pixels.
    it('walk over tiles', () => {
        const last = (shape: Shape, dtype: DType): Tensor => draw(shape, dtype).permute(0, 3, 1, 2);
        const rows = [
            { dtype: 'float16', x: [2, 256, 13, 12], w: [256, 8, 1, 2], out: [13, 11], groups: 32 },
            { dtype: 'float32', x: [4, 256, 10, 10], w: [256, 8, 1, 1], out: [10, 10], groups: 32 },
            { dtype: 'float32', x: [1, 1, 37, 37], w: [136, 1, 1, 1], out: [37, 37], groups: 1 },
        ] as const;
        for (const { dtype, x: shape, w: kernel, out, groups } of rows) {
            const [n, c, h, width] = shape;
            const o = kernel[0];
            const [x, w] = [last([n, h, width, c], dtype), draw(kernel, dtype)];
            const dy = last([n, ...out, o], dtype).mul(0.1);
            const parameters = [2, 1, 1, 4, 0, 0, 0, 0, 2, 1, 1, groups];
            const y: Result = [[n, o, ...out], dtype];
            const moments: Result = [[o], 'float32'];
            // Enough: it has no kernel for the other ops.
            if (groups > 1 && dtype === 'float32') {
                compare(dtype, 'conv2d', [x, w], [y], parameters);
                continue;
            }
            compare(dtype, 'conv2d_statistics', [x, w], [y, moments, moments], parameters);
            if (groups > 1) compare(dtype, 'conv2d_backward_input', [dy, w], [[shape, dtype]], parameters);
            const gradients: Result[] = [
                [kernel, dtype],
                [[o], dtype],
            ];
            compare(dtype, 'conv2d_backward_weight', [x, dy], gradients, parameters);
        }
    });
});
