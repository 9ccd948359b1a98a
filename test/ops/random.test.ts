import assert from 'node:assert/strict';
import {
    bernoulli,
    defaultGenerator,
    Generator,
    manualSeed,
    ones,
    rand,
    randint,
    randn,
    randperm,
    setThreads,
    threads,
    zeros,
    type DType,
    type Tensor,
} from '../../lib/index.js';
import { native } from '../../lib/native/addon.js';
import { erf } from '../support/special_functions.js';
import { integers, normals, philox, uniformDoubles, uniformFloats } from '../support/philox.js';
import { chooseInstructionSet, instructionSets } from './sample_checks.js';

const numbersOf = (x: Tensor): number[] => Array.from(x.dataSync(), Number);
const from = (seed: number, offset = 0): { generator: Generator } => {
    const generator = new Generator(seed);
    generator.state = { seed, offset };
    return { generator };
};

/** Philox 4x32-10 of Random123's kat_vectors. */
const knownAnswers = [
    {
        counter: [0n, 0n, 0n, 0n],
        key: [0n, 0n],
        words: [0x6627e8d5n, 0xe169c58dn, 0xbc57ac4cn, 0x9b00dbd8n],
    },
    {
        counter: [0xffffffffn, 0xffffffffn, 0xffffffffn, 0xffffffffn],
        key: [0xffffffffn, 0xffffffffn],
        words: [0x408f276dn, 0x41c83b0en, 0xa20bc7c6n, 0x6d5451fdn],
    },
    {
        counter: [0x243f6a88n, 0x85a308d3n, 0x13198a2en, 0x03707344n],
        key: [0xa4093822n, 0x299f31d0n],
        words: [0xd16cfe09n, 0x94fdccebn, 0x5001e420n, 0x24126ea1n],
    },
];

/** What the first draws from seed 2024, offset 1 were when they were recorded. */
const recordedNormals = [
    0.7387211936316329, -0.551775476126679, 0.6344701736630802, -1.1445717241962206, 0.13090183189209703,
    1.4715605653716033,
];

/** Seeds and offsets on both sides of 2^32. */
const places = [
    [0, 0],
    [1, 5],
    [42, 2 ** 32 - 1],
    [2 ** 32 + 7, 2 ** 40 + 3],
    [2 ** 53 - 1, 12345],
] as const;

describe('random bits', () => {
    it('are those of the known answers', () => {
        for (const { counter, key, words } of knownAnswers) assert.deepEqual(philox(counter, key), words);
    });

    it('follow seed and offset', () => {
        for (const [seed, offset] of places) {
            const count = 21;
            assert.deepEqual(
                numbersOf(rand([count], from(seed, offset))),
                uniformFloats(count, seed, offset),
            );
            assert.deepEqual(
                numbersOf(rand([count], { dtype: 'float64', ...from(seed, offset) })),
                uniformDoubles(count, seed, offset),
            );
            assert.deepEqual(
                numbersOf(randint(-5, 1000, [count], from(seed, offset))),
                integers(count, seed, offset, -5, 1000),
            );
        }
    });

    it('make normal numbers like Box and Muller', () => {
        for (const [seed, offset] of places) {
            const actual = numbersOf(randn([101], { dtype: 'float64', ...from(seed, offset) }));
            const expected = normals(101, seed, offset);
            actual.forEach((value, i) => {
                const wanted = expected[i] ?? NaN;
                assert.ok(
                    Math.abs(value - wanted) <= 4e-15 * Math.max(1, Math.abs(wanted)),
                    `${value} ${wanted}`,
                );
            });
        }
    });

    it('are the recorded ones, normals too', () => {
        const options = { dtype: 'float64' as DType, ...from(2024, 1) };
        assert.deepEqual(numbersOf(randn([6], options)), recordedNormals);
    });

    it('do not depend on threads, instruction set or the way the draw is cut', () => {
        const drawAll = (): number[][] => [
            numbersOf(rand([50_001], from(3))),
            numbersOf(randn([50_001], from(3))),
            numbersOf(randint(0, 10, [50_001], from(3))),
        ];
        const [before, set] = [threads(), native.instructionSets().used];
        const expected = drawAll();
        try {
            for (const name of instructionSets) {
                chooseInstructionSet(name);
                for (const count of [1, 2]) {
                    setThreads(count);
                    assert.deepEqual(drawAll(), expected);
                }
            }
        } finally {
            setThreads(before);
            chooseInstructionSet(set);
        }
        assert.deepEqual(numbersOf(rand([10], from(3))), expected[0]?.slice(0, 10));
    });
});

describe('Generator', () => {
    it('reserves whole counters, so that draws never share bits', () => {
        const generator = new Generator(9);
        rand([5], { generator });
        assert.deepEqual(generator.state, { seed: 9, offset: 2 });
        rand([5], { generator, dtype: 'float64' });
        assert.deepEqual(generator.state, { seed: 9, offset: 5 });
        randn([1], { generator });
        randint(0, 2, [3], { generator });
        assert.deepEqual(generator.state, { seed: 9, offset: 8 });
        rand([0], { generator });
        assert.equal(generator.state.offset, 8);
    });

    it('goes back to a state', () => {
        const generator = new Generator(4);
        randn([7], { generator });
        const { state } = generator;
        const first = numbersOf(rand([9], { generator }));
        assert.notDeepEqual(numbersOf(rand([9], { generator })), first);
        generator.state = state;
        assert.deepEqual(numbersOf(rand([9], { generator })), first);
    });

    it('is the default one after manualSeed', () => {
        manualSeed(11);
        const first = numbersOf(randn([4]));
        assert.deepEqual(numbersOf(randn([4], from(11))), first);
        assert.equal(manualSeed(11), defaultGenerator);
        assert.deepEqual(numbersOf(zeros([4]).normal_()), first);
        assert.equal(defaultGenerator.seed, 11);
    });

    it('refuses wrong seeds and offsets', () => {
        for (const seed of [-1, 0.5, NaN, 2 ** 53, '7' as never])
            assert.throws(
                () => new Generator(seed),
                /\[Generator\] the seed must be an integer from 0 to 2\^53 - 1/,
            );
        const generator = new Generator(1);
        assert.throws(() => {
            generator.state = { seed: 2, offset: -1 };
        }, /the offset must be/);
        assert.deepEqual(generator.state, { seed: 1, offset: 0 });
        generator.state = { seed: 1, offset: 2 ** 53 - 2 };
        assert.throws(() => rand([100], { generator }), /all numbers of this seed are drawn/);
    });
});

/** Largest distance between the empirical distribution and F, times sqrt(n); above 1.95 with probability 0.001. */
function kolmogorov(values: readonly number[], cumulative: (x: number) => number): number {
    const sorted = [...values].sort((a, b) => a - b);
    const n = sorted.length;
    const distances = sorted.map((x, i) => Math.max((i + 1) / n - cumulative(x), cumulative(x) - i / n));
    return largest(distances) * Math.sqrt(n);
}

function largest(values: readonly number[]): number {
    return values.reduce((most, value) => (value > most || Number.isNaN(value) ? value : most), 0);
}

function moments(values: readonly number[]): { mean: number; variance: number; fourth: number } {
    const n = values.length;
    const mean = values.reduce((sum, x) => sum + x, 0) / n;
    const central = (power: number): number => values.reduce((sum, x) => sum + (x - mean) ** power, 0) / n;
    return { mean, variance: central(2), fourth: central(4) };
}

describe('distributions', () => {
    const n = 40_000;

    it('rand is uniform in [0, 1)', () => {
        for (const dtype of ['float32', 'float64'] as const) {
            const values = numbersOf(rand([n], { dtype, ...from(1) }));
            assert.ok(values.every((x) => x >= 0 && x < 1));
            assert.ok(kolmogorov(values, (x) => x) < 1.95);
        }
    });

    it('stays below the upper end in every dtype', () => {
        for (const dtype of ['float16', 'bfloat16', 'float32', 'float64'] as const) {
            const values = numbersOf(rand([n], { dtype, ...from(2) }));
            assert.ok(
                values.every((x) => x >= 0 && x < 1),
                dtype,
            );
            const narrow = numbersOf(zeros([n], { dtype }).uniform_(1, 1.015625, new Generator(3)));
            assert.ok(
                narrow.every((x) => x >= 1 && x < 1.015625),
                dtype,
            );
        }
    });

    it('randn is standard normal', () => {
        const values = numbersOf(randn([n], { dtype: 'float64', ...from(5) }));
        const { mean, variance, fourth } = moments(values);
        assert.ok(Math.abs(mean) < 4 / Math.sqrt(n));
        assert.ok(Math.abs(variance - 1) < 4 * Math.sqrt(2 / n));
        assert.ok(Math.abs(fourth - 3) < 4 * Math.sqrt(96 / n));
        assert.ok(kolmogorov(values, (x) => 0.5 * (1 + erf(x / Math.SQRT2))) < 1.95);
        const shifted = moments(numbersOf(zeros([n]).normal_(3, 0.5, new Generator(6))));
        assert.ok(Math.abs(shifted.mean - 3) < 0.01 && Math.abs(shifted.variance - 0.25) < 0.01);
    });

    it('randint reaches every integer equally often', () => {
        for (const dtype of ['int64', 'int32', 'uint8', 'float32'] as const) {
            const counts = new Map<number, number>();
            for (const x of numbersOf(randint(3, 10, [n], { dtype, ...from(7) })))
                counts.set(x, (counts.get(x) ?? 0) + 1);
            assert.deepEqual(
                [...counts.keys()].sort((a, b) => a - b),
                [3, 4, 5, 6, 7, 8, 9],
            );
            const chiSquare = [...counts.values()].reduce((sum, k) => sum + (k - n / 7) ** 2 / (n / 7), 0);
            assert.ok(chiSquare < 22.5, `chi-square ${chiSquare}`); // 6 degrees of freedom, 0.001
        }
        const wide = numbersOf(randint(-(2 ** 53), 2 ** 53 - 1, [100], from(8)));
        assert.ok(wide.some((x) => x < -(2 ** 50)) && wide.some((x) => x > 2 ** 50));
    });

    it('randperm holds every number once', () => {
        const order = numbersOf(randperm(1000, from(9)));
        assert.deepEqual(
            [...order].sort((a, b) => a - b),
            Array.from({ length: 1000 }, (_, i) => i),
        );
        assert.notDeepEqual(
            order,
            [...order].sort((a, b) => a - b),
        );
        assert.deepEqual(numbersOf(randperm(0)), []);
        assert.equal(randperm(3).dtype, 'int64');
        const firsts = Array.from({ length: 6000 }, (_, seed) =>
            randperm(3, from(seed)).toArray().toString(),
        );
        const counts = [...new Set(firsts)].map((text) => firsts.filter((other) => other === text).length);
        assert.equal(counts.length, 6);
        assert.ok(counts.every((count) => Math.abs(count - 1000) < 130));
    });

    it('bernoulli has the probability that was asked for', () => {
        const share = (x: Tensor): number => moments(numbersOf(x)).mean;
        assert.ok(Math.abs(share(bernoulli([n], 0.3, from(10))) - 0.3) < 0.01);
        assert.equal(share(bernoulli([n], 0)), 0);
        assert.equal(share(bernoulli([n], 1)), 1);
        assert.equal(bernoulli([3], 0.5, { dtype: 'bool' }).dtype, 'bool');
        const rows = bernoulli([2, n], ones([2, 1]).mul(0.5), from(11));
        assert.ok(Math.abs(share(rows) - 0.5) < 0.01);
        assert.ok(Math.abs(share(zeros([n]).bernoulli_(0.9, new Generator(12))) - 0.9) < 0.01);
    });
});

describe('random in place', () => {
    it('fills views in row-major order', () => {
        const base = zeros([4, 3]);
        base.transpose().uniform_(0, 1, new Generator(1));
        assert.deepEqual(base.transpose().toArray(), rand([3, 4], from(1)).toArray());
    });

    it('counts as a change and refuses what must not be changed', () => {
        const x = ones([3], { requiresGrad: true });
        assert.throws(() => x.normal_(), /\[normal_\].*noGrad/);
        assert.throws(() => ones([1]).expand([3]).uniform_(), /several elements of the tensor share memory/);
        assert.deepEqual(x.toArray(), [1, 1, 1]);
    });
});

describe('random errors', () => {
    const refused: readonly (readonly [() => unknown, RegExp])[] = [
        [() => rand([2], { dtype: 'int32' }), /\[rand\] needs a float dtype, got int32; use randint/],
        [() => rand([-1]), /\[rand\] sizes must be non-negative integers/],
        [() => rand([2], { generator: 7 as never }), /\[rand\] generator must be a Generator/],
        [() => randint(3, 3, [2]), /\[randint\] needs integers low < high/],
        [() => randint(0.5, 3, [2]), /\[randint\] needs integers/],
        [() => randint(0, 257, [2], { dtype: 'uint8' }), /\[randint\].*within \[0, 256\] of uint8/],
        [() => randperm(-1), /\[randperm\]/],
        [() => bernoulli([2], 1.5), /\[bernoulli\] the probability must lie in \[0, 1\], got 1.5/],
        [() => ones([2]).uniform_(2, 1), /\[uniform_\] low 2 lies above high 1/],
        [() => ones([2]).normal_(0, -1), /\[normal_\] std must not be negative, got -1/],
        [() => ones([2]).normal_(NaN), /\[normal_\] mean must be a finite number/],
        [() => ones([2], { dtype: 'int32' }).normal_(), /\[normal_\] needs a float dtype/],
    ];

    it('name the function and leave the generator alone', () => {
        const { offset } = defaultGenerator.state;
        for (const [call, message] of refused) assert.throws(call, message);
        assert.equal(defaultGenerator.state.offset, offset);
    });
});
