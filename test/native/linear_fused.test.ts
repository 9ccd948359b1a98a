import assert from 'node:assert/strict';
import { fromTypedArray, ones, scope, Tensor, zeros, type DType } from '../../lib/index.js';
import { binaryCode, run, unaryCode } from '../../lib/native/call.js';
import { sizeOf, type Shape } from '../../lib/tensor/shape.js';
import { availableSets, withSet, withThreads } from '../support/processor.js';
import { seededUniform, seedOf } from '../support/seeded.js';

type Size = readonly [m: number, n: number, k: number];

/** Around tiles, blocks of column sums, blocks of k (of either dtype), and the sizes at which threads share the work. */
const sizes: readonly Size[] = [
    [1, 1, 1],
    [2, 1, 5],
    [1, 10, 7],
    [5, 65, 3],
    [64, 10, 33],
    [3, 63, 17],
    [7, 129, 1],
    [64, 128, 300],
    [130, 70, 129],
    [600, 66, 40],
    [393, 40, 20],
    [4, 512, 256],
    [9, 40, 1600],
    [1600, 21, 10],
];
const threadCounts = [1, 2, 3, 5];

function draw(shape: Shape, seed: string, dtype: DType): Tensor {
    const uniform = seededUniform(seedOf(seed));
    const data = Array.from({ length: sizeOf(shape) }, () => uniform() * 2 - 1);
    return fromTypedArray(dtype === 'float64' ? Float64Array.from(data) : Float32Array.from(data), shape).to(
        dtype,
    );
}

const bytes = (x: Tensor): Buffer => {
    const data = x.dataSync();
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
};

function assertSameBits(got: readonly Tensor[], wanted: readonly Tensor[], label: string): void {
    wanted.forEach((x, i) => {
        assert.deepEqual(got[i]?.shape, x.shape, `${label}: shape of output ${i}`);
        assert.ok(bytes(got[i] ?? x).equals(bytes(x)), `${label}: bits of output ${i}`);
    });
}

function made(
    op: string,
    inputs: readonly Tensor[],
    shapes: readonly Shape[],
    parameters: number[],
): Tensor[] {
    const outputs = shapes.map((shape) => new Tensor(shape, inputs[0]?.dtype ?? 'float32'));
    run(op, inputs, outputs, parameters);
    return outputs;
}

/** Both ways, for every size, dtype, instruction set and number of threads: the same bits. */
function compare(
    title: string,
    dtypes: readonly DType[],
    each: (size: Size, dtype: DType) => { fused: () => Tensor[]; single: () => Tensor[] },
): void {
    for (const set of availableSets) {
        it(`${title} has the bits of the single calls (${set})`, () => {
            withSet(set, () => {
                for (const dtype of dtypes) {
                    for (const size of sizes) {
                        scope(() => {
                            const { fused, single } = each(size, dtype);
                            const wanted = withThreads(1, single);
                            for (const count of threadCounts) {
                                const label = `${dtype} ${size.join('x')}, ${count} threads`;
                                assertSameBits(withThreads(count, fused), wanted, label);
                            }
                        });
                    }
                }
            });
        });
    }
}

const column = (x: Tensor): Tensor => x.sum(0);
const floats: readonly DType[] = ['float32', 'float64', 'bfloat16', 'float16'];
const halves: readonly DType[] = ['bfloat16', 'float16'];

describe('fused ops of linear layers', () => {
    const activations: [string, number, number][] = [
        ['relu', 0, 0],
        ['leaky_relu', 0.1, 0],
        ['tanh', 0, 0],
        ['gelu', 0, 0],
        ['softplus', 2, 20],
    ];
    for (const [name, p0, p1] of activations) {
        compare(`linear_activation with ${name}`, floats, ([m, n, k], dtype) => {
            const inputs = [draw([m, k], 'x', dtype), draw([n, k], 'w', dtype), draw([n], 'b', dtype)];
            const parameters = [unaryCode(name), p0, p1];
            const shapes =
                name === 'gelu'
                    ? [
                          [m, n],
                          [m, n],
                      ]
                    : [[m, n]];
            return {
                fused: () => made('linear_activation', inputs, shapes, parameters),
                single: () => {
                    const sums = made('linear', inputs, [[m, n]], []);
                    const y = made('unary', sums, [[m, n]], parameters);
                    return name === 'gelu' ? [...y, ...sums] : y;
                },
            };
        });
    }

    compare('linear_activation without a bias', floats, ([m, n, k], dtype) => {
        const inputs = [draw([m, k], 'x', dtype), draw([n, k], 'w', dtype)];
        const parameters = [unaryCode('sigmoid'), 0, 0];
        return {
            fused: () => made('linear_activation', inputs, [[m, n]], parameters),
            single: () => made('unary', made('linear', inputs, [[m, n]], []), [[m, n]], parameters),
        };
    });

    for (const [name, hasBias] of [
        ['add', true],
        ['sub', false],
    ] as const) {
        compare(`linear_residual with ${name}${hasBias ? ' and a bias' : ''}`, floats, ([m, n, k], dtype) => {
            const factors = [draw([m, k], 'x', dtype), draw([n, k], 'w', dtype)];
            const bias = hasBias ? [draw([n], 'b', dtype)] : [];
            const residual = draw([m, n], 'r', dtype);
            const parameters = [binaryCode(name), 0, 0];
            return {
                fused: () => made('linear_residual', [...factors, residual, ...bias], [[m, n]], parameters),
                single: () => {
                    const product = made('linear', [...factors, ...bias], [[m, n]], []);
                    return made('binary', [...product, residual], [[m, n]], parameters);
                },
            };
        });
    }

    for (const name of ['relu_backward', 'gelu_backward', 'leaky_relu_backward']) {
        compare(`linear_backward_input with ${name}`, floats, ([m, n, k], dtype) => {
            const [dy, w, kept] = [
                draw([m, n], 'dy', dtype),
                draw([n, k], 'w', dtype),
                draw([m, k], 'y', dtype),
            ];
            const parameters = [binaryCode(name), 0.1, 0];
            return {
                fused: () => made('linear_backward_input', [dy, w, kept], [[m, k]], parameters),
                single: () => {
                    const [dx = dy] = made('matmul', [dy, w], [[m, k]], [0, 0]);
                    return made('binary', [dx, kept], [[m, k]], parameters);
                },
            };
        });
    }

    compare('linear_backward_weight', floats, ([m, n, k], dtype) => {
        const [dy, x] = [draw([m, n], 'dy', dtype), draw([m, k], 'x', dtype)];
        return {
            fused: () => made('linear_backward_weight', [dy, x], [[n, k], [n]], []),
            single: () => [...made('matmul', [dy, x], [[n, k]], [1, 0]), column(dy)],
        };
    });

    compare('linear_backward_weight alone', floats, ([m, n, k], dtype) => {
        const [dy, x] = [draw([m, n], 'dy', dtype), draw([m, k], 'x', dtype)];
        return {
            fused: () => made('linear_backward_weight', [dy, x], [[n, k]], []),
            single: () => made('matmul', [dy, x], [[n, k]], [1, 0]),
        };
    });

    compare('linear_backward_weight into float32', halves, ([m, n, k], dtype) => {
        const [dy, x] = [draw([m, n], 'dy', dtype), draw([m, k], 'x', dtype)];
        return {
            fused: () => {
                const outputs = [new Tensor([n, k], 'float32'), new Tensor([n], 'float32')];
                run('linear_backward_weight', [dy, x], outputs, []);
                return outputs;
            },
            single: () =>
                [...made('matmul', [dy, x], [[n, k]], [1, 0]), column(dy)].map((made) => made.to('float32')),
        };
    });

    /** Parameter and state after an update, with the gradients made before or in the same call. */
    const updates = (
        update: string,
        fused: string,
        stateCount: number,
        parameters: number[],
        [m, n, k]: Size,
        dtype: DType,
    ): { fused: () => Tensor[]; single: () => Tensor[] } => {
        const [dy, x] = [draw([m, n], 'dy', dtype), draw([m, k], 'x', dtype)];
        const group = (shape: Shape, name: string): Tensor[] => [
            draw(shape, name, 'float32'),
            ...Array.from({ length: stateCount }, (_, i) =>
                draw(shape, name + String(i), 'float32').square(),
            ),
        ];
        return {
            fused: () => {
                const tensors = [...group([n, k], 'w'), ...group([n], 'b')];
                run(fused, [dy, x], tensors, parameters);
                return tensors;
            },
            single: () => {
                const [weight, bias] = [group([n, k], 'w'), group([n], 'b')];
                const [dw = dy] = made('matmul', [dy, x], [[n, k]], [1, 0]);
                const withGradient = ([first, ...rest]: Tensor[], gradient: Tensor): Tensor[] =>
                    first ? [first, gradient.to('float32'), ...rest] : [];
                run(update, [], [...withGradient(weight, dw), ...withGradient(bias, column(dy))], parameters);
                return [...weight, ...bias];
            },
        };
    };
    const adam = [1e-2, 0.9, 0.99, 1e-8, 0.1, 3];
    const cases: [string, string, string, number, number[]][] = [
        ['adam', 'adam_step', 'linear_backward_weight_adam', 2, [...adam, 0, 0, 0]],
        ['adamw with amsgrad', 'adam_step', 'linear_backward_weight_adam', 3, [...adam, 1, 1, 0]],
        ['sgd', 'sgd_step', 'linear_backward_weight_sgd', 0, [0.1, 0, 0, 0.1, 0, 0, 0, 0]],
        ['sgd with momentum', 'sgd_step', 'linear_backward_weight_sgd', 1, [0.1, 0.9, 0, 0, 1, 1, 0, 0]],
        [
            'sgd with a first momentum',
            'sgd_step',
            'linear_backward_weight_sgd',
            1,
            [0.1, 0.9, 0.5, 0, 0, 1, 1, 0],
        ],
    ];
    for (const [title, update, fused, stateCount, parameters] of cases) {
        compare(`linear_backward_weight with ${title}`, ['float32', ...halves], (size, dtype) =>
            updates(update, fused, stateCount, parameters, size, dtype),
        );
    }

    it('take factors at any strides', () => {
        const turned = (x: Tensor): Tensor => x.transpose(0, 1).contiguous().transpose(0, 1);
        const [dy, x, w] = [
            draw([40, 70], 'dy', 'float32'),
            draw([40, 30], 'x', 'float32'),
            draw([70, 30], 'w', 'float32'),
        ];
        const [wanted, wantedBias] = made('linear_backward_weight', [dy, x], [[70, 30], [70]], []);
        const [got, gotBias] = made('linear_backward_weight', [turned(dy), turned(x)], [[70, 30], [70]], []);
        assert.ok(wanted && got && wantedBias && gotBias);
        assertSameBits([got], [wanted], 'dw');
        assert.deepEqual(gotBias.toArray(), column(turned(dy)).toArray());
        const relu = [unaryCode('relu'), 0, 0];
        assertSameBits(
            made('linear_activation', [turned(x), turned(w)], [[40, 70]], relu),
            made('linear_activation', [x, w], [[40, 70]], relu),
            'y',
        );
        const kept = draw([40, 30], 'kept', 'float32');
        const mask = [binaryCode('relu_backward'), 0, 0];
        assertSameBits(
            made('linear_backward_input', [turned(dy), turned(w), kept], [[40, 30]], mask),
            made('linear_backward_input', [dy, w, kept], [[40, 30]], mask),
            'dx',
        );
    });

    it('carry NaN to every element that it reaches, and no further', () => {
        const x = draw([20, 40], 'x', 'float32');
        const dy = draw([20, 70], 'dy', 'float32');
        dy.slice(0, 3, 4).slice(1, 5, 6).fill_(NaN);
        const [dw, db] = made('linear_backward_weight', [dy, x], [[70, 40], [70]], []);
        const rows = dw?.sum(1).toArray() as number[];
        const sums = db?.toArray() as number[];
        assert.deepEqual(
            rows.flatMap((value, i) => (Number.isNaN(value) ? [i] : [])),
            [5],
        );
        assert.deepEqual(
            sums.flatMap((value, i) => (Number.isNaN(value) ? [i] : [])),
            [5],
        );
    });

    it('give zeros, or the bias, where there is nothing to sum', () => {
        const empty = zeros([0, 5]);
        const [dw, db] = made('linear_backward_weight', [zeros([0, 3]), empty], [[3, 5], [3]], []);
        assert.deepEqual(dw?.toArray(), zeros([3, 5]).toArray());
        assert.deepEqual(db?.toArray(), [0, 0, 0]);
        const [onlyBias] = made(
            'linear_backward_weight',
            [draw([4, 3], 'dy', 'float32'), zeros([4, 0])],
            [[3, 0], [3]],
            [],
        ).slice(1);
        assert.deepEqual(onlyBias?.toArray(), column(draw([4, 3], 'dy', 'float32')).toArray());
        const bias = draw([3], 'b', 'float32');
        const [rest = bias] = made(
            'linear_residual',
            [zeros([2, 0]), zeros([3, 0]), ones([2, 3]), bias],
            [[2, 3]],
            [binaryCode('add'), 0, 0],
        );
        assert.deepEqual(rest.slice(0, 1, 2).reshape([3]).toArray(), bias.add(1).toArray());
        const [y] = made(
            'linear_activation',
            [zeros([2, 0]), zeros([3, 0]), bias],
            [[2, 3]],
            [unaryCode('relu'), 0, 0],
        );
        assert.deepEqual(y?.slice(0, 1, 2).reshape([3]).toArray(), bias.relu().toArray());
    });

    it('refuse what does not fit', () => {
        const [a, b] = [zeros([4, 3]), zeros([4, 5])];
        const refused: [() => unknown, RegExp][] = [
            [
                () => made('linear_backward_weight', [a, zeros([3, 5])], [[3, 5]], []),
                /needs dy \[M, N\] and x \[M, K\]/,
            ],
            [() => made('linear_backward_weight', [a, b], [[5, 3]], []), /needs a row-major weight \[N, K\]/],
            [() => made('linear_backward_weight', [a, b], [[3, 5], [5]], []), /needs a dense bias \[N\]/],
            [
                () => made('linear_backward_weight', [a, b.to('float64')], [[3, 5]], []),
                /\[linear_backward_weight\] needs operands of one dtype/,
            ],
            [
                () => made('linear_backward_weight', [a.to('bfloat16'), b], [[3, 5]], []),
                /needs operands of one dtype, or float32 results of two-byte floats/,
            ],
            [
                () => {
                    const [x, y] = [a.to('bfloat16'), b.to('bfloat16')];
                    run(
                        'linear_backward_weight_sgd',
                        [x, y],
                        [zeros([3, 5]).to('bfloat16')],
                        [0.1, 0, 0, 0, 0, 0, 0, 0],
                    );
                },
                /\[linear_backward_weight_sgd\] needs operands of one dtype/,
            ],
            [
                () => made('linear_activation', [a, b], [[4, 4]], [unaryCode('relu'), 0, 0]),
                /needs x \[M, K\]/,
            ],
            [() => made('linear_activation', [a, zeros([2, 3])], [[4, 2]], [999, 0, 0]), /no function 999/],
            [() => made('linear_backward_input', [a, b, b], [[4, 5]], [0, 0, 0]), /needs dy \[M, N\]/],
            [
                () => made('linear_residual', [a, zeros([2, 3]), a], [[4, 2]], [0, 0, 0]),
                /needs .* row-major r \[M, N\]/,
            ],
            [
                () =>
                    made(
                        'linear_residual',
                        [a, zeros([2, 3]), zeros([4, 2]), zeros([3])],
                        [[4, 2]],
                        [0, 0, 0],
                    ),
                /needs .* b \[N\]/,
            ],
            [
                () => made('linear_residual', [a, zeros([2, 3]), zeros([4, 2])], [[4, 2]], [-1, 0, 0]),
                /no function -1/,
            ],
            [
                () => {
                    const wide = [zeros([3, 5]), zeros([3, 5]), zeros([3, 5])].map((x) => x.to('float64'));
                    run('linear_backward_weight_adam', [a.to('float64'), b.to('float64')], wide, [
                        ...adam,
                        0,
                        0,
                        0,
                    ]);
                },
                /needs float32, got float64/,
            ],
        ];
        for (const [call, message] of refused) assert.throws(call, message);
    });
});
