import assert from 'node:assert/strict';
import {
    capture,
    concat,
    dropout,
    manualSeed,
    maxPool2d,
    noGrad,
    randn,
    where,
    type DType,
    type Tensor,
} from '../../../lib/index.js';

/** Eight elements of 16 bits a lane against one at a time: where they lie decides how a kernel takes them. */
type Place = (x: Tensor) => Tensor;

const flat = (x: Tensor): Tensor => x.reshape([x.size]);

/** The same elements two apart: no kernel takes several of them at a time. */
const apart: Place = (x) =>
    concat(
        [flat(x), flat(x)].map((half) => half.reshape([x.size, 1])),
        1,
    )
        .slice(1, 0, 1)
        .reshape(x.shape);

/** The same elements behind `skipped` others: the address is a multiple of 2 `skipped` bytes alone. */
const behind =
    (skipped: number): Place =>
    (x) =>
        concat([randn([skipped]).to(x.dtype), flat(x)], 0)
            .slice(0, skipped, skipped + x.size)
            .reshape(x.shape);

const places: readonly (readonly [string, Place])[] = [
    ['dense', (x) => x],
    ['behind one element', behind(1)],
    ['behind four elements', behind(4)],
    ['behind eight elements', behind(8)],
];

const functions: readonly (readonly [string, (x: Tensor, y: Tensor) => Tensor])[] = [
    ['unary', (x) => x.tanh()],
    ['activation with constants', (x) => x.clamp(-0.5, 0.75)],
    ['binary', (x, y) => x.mul(y)],
    ['binary with a number', (x) => x.add(0.3)],
    ['division', (x, y) => x.div(y)],
    ['comparison', (x, y) => x.gt(y)],
    ['choice', (x, y) => where(x.gt(y), x, y)],
    [
        'dropout',
        (x) => {
            manualSeed(3);
            return dropout(x, 0.4);
        },
    ],
    ['cast to float32', (x) => x.to('float32')],
    ['cast to the other one', (x) => x.to(x.dtype === 'float16' ? 'bfloat16' : 'float16')],
    ['sum with float32', (x, y) => x.add(y.to('float32'))],
];

const dtypes = ['float16', 'bfloat16'] as const;
const shapes = [[0], [1], [7], [8], [9], [31], [4099], [5, 24], [3, 20], [4, 0], [3, 3]] as const;

function draw(shape: readonly number[], dtype: DType): Tensor {
    return randn([...shape]).to(dtype);
}

describe('elements of 16 bits', () => {
    for (const [name, apply] of functions) {
        it(`${name}: the same bits wherever they lie`, () => {
            for (const dtype of dtypes) {
                for (const shape of shapes) {
                    const [x, y] = [draw(shape, dtype), draw(shape, dtype)];
                    const wanted = apply(apart(x), apart(y)).toArray();
                    for (const [where, place] of places)
                        assert.deepEqual(
                            apply(place(x), place(y)).toArray(),
                            wanted,
                            `${dtype} [${shape.join(', ')}] ${where}`,
                        );
                }
            }
        });
    }

    it('rows and columns that repeat, in groups of eight, of four, and one by one', () => {
        for (const dtype of dtypes) {
            for (const columns of [24, 20, 7]) {
                const x = draw([5, columns], dtype);
                for (const y of [draw([columns], dtype), draw([5, 1], dtype), draw([], dtype)])
                    assert.deepEqual(x.sub(y).toArray(), apart(x).sub(y).toArray(), `${dtype} ${columns}`);
            }
        }
    });

    it('results that lie anywhere', () => {
        for (const dtype of dtypes) {
            const [x, y] = [draw([33], dtype), draw([33], dtype)];
            const wanted = apart(x).mul(apart(y)).toArray();
            for (const [where, place] of places) {
                const out = place(x.clone());
                noGrad(() => out.mul_(y));
                assert.deepEqual(out.toArray(), wanted, `${dtype} ${where}`);
            }
        }
    });

    it('gradients of activations and pooling', () => {
        const losses: readonly (readonly [string, (x: Tensor) => Tensor])[] = [
            ['relu', (x) => x.relu()],
            ['gelu', (x) => x.gelu()],
            ['sigmoid', (x) => x.sigmoid()],
            ['max pooling', (x) => maxPool2d(x.reshape([2, 8, 5, 6]), 2)],
        ];
        for (const dtype of dtypes) {
            for (const [name, loss] of losses) {
                const values = draw([480], dtype);
                const gradient = (place: Place): unknown => {
                    const x = place(values.clone());
                    x.requiresGrad = true;
                    manualSeed(7);
                    const y = loss(x);
                    y.mul(place(draw([y.size], dtype)).reshape(y.shape))
                        .sum()
                        .backward();
                    return x.grad?.toArray();
                };
                const wanted = gradient(apart);
                for (const [where, place] of places)
                    assert.deepEqual(gradient(place), wanted, `${name} ${dtype} ${where}`);
            }
        }
    });

    it('functions joined by a capture, rounded after each of them', () => {
        const row = randn([24]);
        const steps: readonly (readonly [string, (x: Tensor) => Tensor[]])[] = [
            ['whole', (x) => [x.mul(0.3).add(1.7).tanh()]],
            ['a part that begins anywhere', (x) => [x.slice(0, 1).mul(0.3).add(1.7).tanh()]],
            ['what is used again', (x) => [x.exp().div(x.exp().add(x.neg().exp())), x.mul(3)]],
        ];
        const rowed = (x: Tensor): Tensor[] => [x.reshape([-1, 24]).sub(row.to(x.dtype)).mul(0.7).relu()];
        for (const dtype of dtypes) {
            for (const size of [1, 7, 8, 48, 1001]) {
                const x = draw([size], dtype);
                const all = size % 24 === 0 ? [...steps, ['rows', rowed] as const] : steps;
                for (const [name, step] of all) {
                    const run = (fuse: boolean): unknown =>
                        noGrad(() => {
                            const captured = capture(step, { fuse });
                            return [captured(x), captured(x)].map((results) =>
                                results.map((result) => result.toArray()),
                            );
                        });
                    assert.deepEqual(run(true), run(false), `${name}, ${dtype} [${size}]`);
                }
            }
        }
    });
});
