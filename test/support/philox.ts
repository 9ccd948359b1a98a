/** Philox 4x32-10 in big integers, after the paper (Salmon et al., SC 2011); shares nothing with the library. */
export function philox(counter: readonly bigint[], key: readonly bigint[]): bigint[] {
    const mask = 0xffffffffn;
    let [c0 = 0n, c1 = 0n, c2 = 0n, c3 = 0n] = counter;
    let [k0 = 0n, k1 = 0n] = key;
    for (let round = 0; round < 10; round++) {
        const left = 0xd2511f53n * c0;
        const right = 0xcd9e8d57n * c2;
        [c0, c1, c2, c3] = [(right >> 32n) ^ c1 ^ k0, right & mask, (left >> 32n) ^ c3 ^ k1, left & mask];
        k0 = (k0 + 0x9e3779b9n) & mask;
        k1 = (k1 + 0xbb67ae85n) & mask;
    }
    return [c0, c1, c2, c3];
}

/** The four words at one counter of a seed. */
export function wordsAt(seed: number, counter: number): number[] {
    const split = (value: number): bigint[] => [BigInt(value) & 0xffffffffn, BigInt(value) >> 32n];
    return philox([...split(counter), 0n, 0n], split(seed)).map(Number);
}

function drawn(
    count: number,
    seed: number,
    offset: number,
    perCounter: number,
    value: (words: number[], i: number) => number,
): number[] {
    return Array.from({ length: count }, (_, i) =>
        value(wordsAt(seed, offset + Math.floor(i / perCounter)), i % perCounter),
    );
}

const double = (high = 0, low = 0): number => (high * 2 ** 21 + Math.floor(low / 2 ** 11)) * 2 ** -53;

/** Uniform numbers with 24 bits, four a counter. */
export function uniformFloats(count: number, seed: number, offset: number): number[] {
    return drawn(count, seed, offset, 4, (words, i) => ((words[i] ?? 0) >>> 8) * 2 ** -24);
}

/** Uniform numbers with 53 bits, two a counter. */
export function uniformDoubles(count: number, seed: number, offset: number): number[] {
    return drawn(count, seed, offset, 2, (words, i) => double(words[2 * i], words[2 * i + 1]));
}

/** Box and Muller's normal numbers, with the math library of JavaScript. */
export function normals(count: number, seed: number, offset: number): number[] {
    return drawn(count, seed, offset, 2, (words, i) => {
        const radius = Math.sqrt(-2 * Math.log(1 - double(words[0], words[1])));
        const angle = 2 * Math.PI * double(words[2], words[3]);
        return radius * (i === 0 ? Math.cos(angle) : Math.sin(angle));
    });
}

/** Integers in [low, high): the upper half of 64 random bits times the range. */
export function integers(count: number, seed: number, offset: number, low: number, high: number): number[] {
    return drawn(count, seed, offset, 2, (words, i) => {
        const bits = (BigInt(words[2 * i] ?? 0) << 32n) | BigInt(words[2 * i + 1] ?? 0);
        return low + Number((bits * BigInt(high - low)) >> 64n);
    });
}
