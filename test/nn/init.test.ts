import assert from 'node:assert/strict';
import { Generator, manualSeed, nn, zeros, type Tensor } from '../../lib/index.js';

const { init } = nn;

function statistics(x: Tensor): { mean: number; std: number; largest: number } {
    const values = Array.from(x.dataSync(), Number);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    return { mean, std: Math.sqrt(square), largest: Math.max(...values.map(Math.abs)) };
}

/** Deviation of 40,000 numbers within 2 %, mean near 0; uniform ones within sqrt(3) deviations. */
function assertDeviation(x: Tensor, std: number, uniform: boolean): void {
    const found = statistics(x);
    assert.ok(Math.abs(found.std / std - 1) < 0.02, `deviation ${found.std}, expected ${std}`);
    assert.ok(Math.abs(found.mean) < std / 50, `mean ${found.mean}`);
    assert.equal(found.largest <= Math.sqrt(3) * std * (1 + 1e-6), uniform);
}

describe('init', () => {
    const weight = (): nn.Parameter => new nn.Parameter(zeros([100, 16, 5, 5], { dtype: 'float64' }));
    const [fanIn, fanOut] = [16 * 25, 100 * 25];

    it('has the deviations of He, Glorot and LeCun', () => {
        assertDeviation(init.kaimingUniform(weight()), Math.sqrt(2 / fanIn), true);
        assertDeviation(init.heNormal(weight(), { mode: 'fanOut' }), Math.sqrt(2 / fanOut), false);
        assertDeviation(init.kaimingNormal(weight(), { a: 1 }), Math.sqrt(1 / fanIn), false);
        assertDeviation(init.xavierUniform(weight()), Math.sqrt(2 / (fanIn + fanOut)), true);
        const gain = init.gainOf('tanh');
        assertDeviation(init.glorotNormal(weight(), { gain }), gain * Math.sqrt(2 / (fanIn + fanOut)), false);
        assertDeviation(init.lecunUniform(weight()), Math.sqrt(1 / fanIn), true);
        assertDeviation(init.lecunNormal(weight()), Math.sqrt(1 / fanIn), false);
    });

    it('draws the same numbers from the same seed', () => {
        const make = (seed: number): number[] => {
            const layer = new nn.Linear(3, 2, { generator: new Generator(seed) });
            return layer.parameters().flatMap((x) => Array.from(x.dataSync(), Number));
        };
        assert.deepEqual(make(5), make(5));
        assert.notDeepEqual(make(5), make(6));
        manualSeed(9);
        const first = new nn.Conv2d(1, 2, 3).weight.toArray();
        manualSeed(9);
        assert.deepEqual(new nn.Conv2d(1, 2, 3).weight.toArray(), first);
    });

    it('fills and leaves the parameter a leaf that learns', () => {
        const x = weight();
        assert.equal(init.constant(x, 3), x);
        assert.deepEqual(statistics(x), { mean: 3, std: 0, largest: 3 });
        assert.equal(statistics(init.zeros(x)).largest, 0);
        assert.equal(statistics(init.ones(x)).mean, 1);
        assert.ok(x.requiresGrad && x.isLeaf);
    });

    it('makes orthonormal rows or columns', () => {
        for (const shape of [
            [5, 3],
            [3, 5],
            [4, 2, 2],
        ]) {
            const x = init.orthogonal(zeros(shape, { dtype: 'float64' }), { gain: 2 }).flatten(1);
            const small = x.shape[0] <= x.shape[1] ? x.matmul(x.transpose()) : x.transpose().matmul(x);
            (small.toArray() as number[][]).forEach((row, i) => {
                row.forEach((value, j) => assert.ok(Math.abs(value - (i === j ? 4 : 0)) < 1e-12));
            });
        }
    });

    it('says what is wrong with its arguments', () => {
        assert.throws(() => init.kaimingUniform(zeros([3])), /at least two dimensions, got \[3\]/);
        assert.throws(() => init.orthogonal(zeros([3])), /\[init.orthogonal\] needs at least two/);
        assert.throws(() => init.uniform(zeros([3]), 1, 0), /low 1 is above high 0/);
        assert.throws(() => init.normal(zeros([3]), 0, -1), /std must be at least 0/);
        assert.throws(() => init.gainOf('swish' as 'relu'), /unknown nonlinearity 'swish'/);
        assert.throws(() => init.kaimingUniform(zeros([3, 3]), { mode: 'fan' as 'fanIn' }), /mode must be/);
    });
});
