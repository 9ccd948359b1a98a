import { dropout, Generator, ones } from '../../../lib/index.js';
import type { NdArray, OpSample } from '../sample.js';

const low = (value: bigint): bigint => value & 0xffffffffn;

/** Philox 4x32-10 for one counter (Salmon et al., 2011). */
function philox(seed: number, counter: number): number[] {
    let [c0, c1, c2, c3] = [low(BigInt(counter)), BigInt(counter) >> 32n, 0n, 0n];
    let [k0, k1] = [low(BigInt(seed)), BigInt(seed) >> 32n];
    for (let round = 0; round < 10; round++) {
        const [p0, p1] = [c0 * 0xd2511f53n, c2 * 0xcd9e8d57n];
        [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, low(p1), (p0 >> 32n) ^ c3 ^ k1, low(p0)];
        [k0, k1] = [low(k0 + 0x9e3779b9n), low(k1 + 0xbb67ae85n)];
    }
    return [c0, c1, c2, c3].map(Number);
}

const seed = 2 ** 40 + 7;
const offset = 11;

/** A generator from which 11 counters were drawn. */
function started(): Generator {
    const generator = new Generator(seed);
    generator.reserve(offset);
    return generator;
}

function dropped(probability: number) {
    return ({ shape, data }: NdArray): NdArray => ({
        shape,
        data: data.map((value, i) => {
            const word = philox(seed, offset + Math.floor(i / 4))[i % 4];
            return Math.floor(word / 256) / 2 ** 24 < probability ? 0 : value / (1 - probability);
        }),
    });
}

export const dropoutSamples: readonly OpSample[] = [
    {
        op: 'dropout',
        covers: ['dropout_by'],
        inputs: [{ shape: [3, 5, 7] }],
        run: (x) => dropout(x, 0.375, { generator: started() }),
        reference: dropped(0.375),
        secondOrder: true,
        large: [[31, 17, 40]],
        zeroSizes: [[[0, 3]], [[2, 0]]],
        wrong: [
            {
                call: () => dropout(ones([2]), 1.5, { generator: started() }),
                message: /\[dropout\] the probability must lie in \[0, 1\], got 1.5/,
            },
            {
                call: () => dropout(ones([2], { dtype: 'int32' }), 0.5, { generator: started() }),
                message: /\[dropout\] needs a float dtype/,
            },
            {
                call: () => void Reflect.apply(dropout, null, [ones([2]), 0.5, { generator: 7 }]),
                message: /\[dropout\] generator must be a Generator/,
            },
        ],
    },
    {
        op: 'dropout',
        title: 'of everything',
        inputs: [{ shape: [2, 3] }],
        run: (x) => dropout(x, 1, { generator: started() }),
        reference: (x) => ({ shape: x.shape, data: x.data.map(() => 0) }),
    },
    {
        op: 'dropout',
        title: 'in evaluation',
        inputs: [{ shape: [2, 3] }],
        run: (x) => dropout(x, 0.5, { training: false }).mul(1),
        reference: (x) => x,
    },
];
