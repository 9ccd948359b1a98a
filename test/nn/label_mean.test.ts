import assert from 'node:assert/strict';
import {
    capture,
    defaultDevice,
    fromTypedArray,
    manualSeed,
    nn,
    optim,
    rand,
    randint,
    randn,
    scope,
    tensor,
    zeros,
    type DType,
    type Tensor,
} from '../../lib/index.js';
import { run } from '../../lib/native/call.js';
import { Tensor as TensorClass } from '../../lib/tensor/tensor.js';
import { onSimulator } from '../support/simulator.js';
import { asked } from '../support/work_counts.js';

const values = (x: Tensor): number[] => Array.from(x.dataSync(), Number);

/** The last number of terms that one block of a GPU adds up. */
const most = 8192;

interface Terms {
    readonly terms: Tensor;
    readonly labels: Tensor;
    readonly weights: Tensor;
}

function draw(count: number, dtype: DType): Terms {
    return {
        terms: rand([count]).mul(8).to(dtype),
        labels: randint(-1, 7, [count], { dtype: 'int32' }),
        weights: rand([7]).add(0.25),
    };
}

/** mean and divisor by the definition; label -1 is ignored. */
function expectedOf({ terms, labels, weights }: Terms, weighted: boolean): [number, number] {
    const [each, classes, factors] = [values(terms), values(labels), values(weights)];
    const shares = classes.map((label) => (label === -1 ? 0 : weighted ? (factors[label] ?? NaN) : 1));
    const divisor = shares.reduce((a, b) => a + b, 0);
    return [each.reduce((a, b) => a + b, 0) / divisor, divisor];
}

function meanOf({ terms, labels, weights }: Terms, weighted: boolean): [Tensor, Tensor] {
    const results: [Tensor, Tensor] = [new TensorClass([], terms.dtype), new TensorClass([], 'float64')];
    run('label_mean', weighted ? [terms, labels, weights] : [terms, labels], results, [-1]);
    return results;
}

describe('the mean over labels', () => {
    for (const dtype of ['float32', 'float64', 'float16', 'bfloat16'] as const) {
        it(`of ${dtype} terms, few, a block full, and parts with a ragged end`, () => {
            for (const count of [1, 300, most, most + 1, 3 * most + 77]) {
                for (const weighted of [false, true]) {
                    const made = draw(count, dtype);
                    const [mean, divisor] = meanOf(made, weighted).map((x) => x.item());
                    const expected = expectedOf(made, weighted);
                    const rounding = { float64: 1e-12, float32: 6e-8, float16: 5e-4, bfloat16: 4e-3 }[dtype];
                    const what = `${count} terms${weighted ? ', weighted' : ''}`;
                    if (expected[1] === 0) assert.equal(mean, expected[0], what);
                    else assert.ok(Math.abs((mean ?? NaN) / expected[0] - 1) <= rounding, `${what}: ${mean}`);
                    assert.ok(Math.abs((divisor ?? NaN) - expected[1]) <= 1e-9 * expected[1], `${divisor}`);
                }
            }
        });
    }

    it('walks views, and the same bits come from one thread and another launch', () => {
        const made = draw(2 * most + 5, 'float32');
        const spread = (x: Tensor): Tensor => x.reshape([x.size, 1]).expand([x.size, 2]).contiguous();
        const column = (x: Tensor): Tensor => spread(x).slice(1, 1, 2).reshape([x.size]);
        const apart = { terms: column(made.terms), labels: column(made.labels), weights: made.weights };
        const bits = (terms: Terms): number[] => meanOf(terms, true).map((x) => x.item());
        assert.deepEqual(bits(apart), bits(made));
    });

    if (defaultDevice() !== 'cpu')
        it('takes two launches on a GPU from there on', async () => {
            for (const [count, launches] of [
                [most, 1],
                [most + 1, 2],
            ] as const) {
                const made = draw(count, 'float32');
                assert.equal((await asked(() => meanOf(made, true))).launches, launches);
            }
        });

    it('refuses terms and labels that differ in number, and labels that are floats', () => {
        const [mean, divisor] = [zeros([]), zeros([])];
        for (const inputs of [
            [zeros([3]), zeros([4], { dtype: 'int32' })],
            [zeros([3]), zeros([3])],
            [zeros([3, 1]), zeros([3], { dtype: 'int32' })],
        ])
            assert.throws(
                () => run('label_mean', inputs, [mean, divisor], [-1]),
                /\[label_mean\] needs terms \[N\], integer labels \[N\] and weights \[C\]/,
            );
    });
});

/** The same without the op: the sum of losses over what they count for, and that gradient. */
function bySum(x: Tensor, y: Tensor, weight: Tensor | null): [number, number[]] {
    x.grad = null;
    const [labels, factors] = [values(y), weight && values(weight)];
    const divisor = labels
        .map((label) => (label < 0 ? 0 : factors ? (factors[label] ?? NaN) : 1))
        .reduce((a, b) => a + b, 0);
    const loss = nn.crossEntropy(x, y, { weight, reduction: 'sum' }).div(divisor);
    loss.backward();
    return [loss.item(), values((x.grad as Tensor | null) ?? zeros([]))];
}

describe('the mean of cross entropy', () => {
    it('is the sum over what the labels count for, and so is its gradient', () => {
        for (const weight of [null, tensor([0.5, 1, 2, 1.5, 0.25])]) {
            const rows = onSimulator ? 700 : most + 77;
            const x = randn([rows, 5], { requiresGrad: true });
            const y = randint(0, 5, [rows], { dtype: 'int64' });
            y.slice(0, 5, 600).fill_(-100);
            const loss = nn.crossEntropy(x, y, { weight });
            loss.backward();
            const gradient = values(x.grad ?? zeros([]));
            const [sum, expected] = bySum(x, y, weight);
            assert.ok(Math.abs(loss.item() / sum - 1) < 1e-6, `${loss.item()}, by the sum ${sum}`);
            gradient.forEach((value, i) =>
                assert.ok(Math.abs(value - (expected[i] ?? NaN)) <= 2e-6 * Math.abs(value), `gradient ${i}`),
            );
        }
    });

    it('is NaN where every label is ignored or none is there, with gradients of 0, as in PyTorch', () => {
        for (const rows of [3, 0]) {
            const x = randn([rows, 4], { requiresGrad: true });
            const loss = nn.crossEntropy(x, zeros([rows], { dtype: 'int64' }).sub(100));
            loss.backward();
            assert.equal(loss.item(), NaN);
            assert.ok(x.grad && values(x.grad).every((value) => value === 0));
        }
    });

    it('is NaN with gradients of NaN where the weights of its labels are 0, as in PyTorch', () => {
        const x = randn([2, 3], { requiresGrad: true });
        const loss = nn.crossEntropy(x, tensor([1, 2], { dtype: 'int64' }), { weight: zeros([3]) });
        loss.backward();
        assert.equal(loss.item(), NaN);
        assert.ok(x.grad && values(x.grad).every(Number.isNaN));
    });

    // 66,000 rows take the simulator seconds.
    if (!onSimulator)
        it('of more float16 losses than float16 can count', () => {
            const rows = 66000;
            const x = zeros([rows, 2], { dtype: 'float16', requiresGrad: true });
            const loss = nn.crossEntropy(x, zeros([rows], { dtype: 'uint8' }));
            loss.mul(1024).backward();
            assert.ok(Math.abs(loss.item() - Math.LN2) < 5e-4, `${loss.item()}`);
            const [first = NaN] = x.grad ? values(x.grad.slice(0, 0, 1)) : [];
            assert.ok(Math.abs(first / ((-0.5 * 1024) / rows) - 1) < 1e-3, `${first}`);
        });

    // What is put together for a GPU may add up in another order.
    const fuse = defaultDevice() === 'cpu';
    for (const weighted of [false, true]) {
        it(`has the same bits in a captured step${weighted ? ', with class weights' : ''}`, () => {
            const train = (captured: boolean): number[] =>
                scope(() => {
                    manualSeed(3);
                    const model = new nn.Sequential(
                        new nn.Linear(8, 16),
                        new nn.ReLU(),
                        new nn.Linear(16, 4),
                    );
                    const optimizer = new optim.Adam(model.parameters(), { lr: 1e-2 });
                    const weight = weighted ? fromTypedArray(Float32Array.of(0.5, 1, 2, 0.25), [4]) : null;
                    const step = (x: Tensor, y: Tensor): Tensor => {
                        optimizer.zeroGrad();
                        const loss = nn.crossEntropy(model.forward(x), y, { weight, ignoreIndex: 2 });
                        loss.backward();
                        optimizer.step();
                        return loss;
                    };
                    const [x, y] = [randn([33, 8]), randint(0, 4, [33], { dtype: 'uint8' })];
                    const taken = captured ? capture(step, { fuse }) : step;
                    const losses = [0, 1, 2, 3].map(() => taken(x, y).item());
                    return [...losses, ...model.parameters().flatMap(values)];
                });
            assert.deepEqual(train(true), train(false));
        });
    }
});
