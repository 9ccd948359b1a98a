import assert from 'node:assert/strict';
import { fromTypedArray, slice } from '../../lib/index.js';
import { native } from '../../lib/native/addon.js';
import { instructionSets } from '../ops/sample_checks.js';
import * as rounding from '../support/rounding.js';
import { seededUniform, seedOf } from '../support/seeded.js';

/** float32 numbers of every exponent, NaN and subnormal ones among them, and the halves between bfloat16 numbers. */
function patterns(count: number): Float32Array {
    const uniform = seededUniform(seedOf('conversions'));
    const bits = Uint32Array.from({ length: count }, (_, i) => {
        const random = Math.floor(uniform() * 2 ** 32);
        if (i % 3 === 0) return (random & 0xffff0000) | 0x8000;
        return i % 7 === 0 ? random & 0x807fffff : random;
    });
    return new Float32Array(bits.buffer);
}

// The reference does not keep the sign of what rounds to zero.
const signed =
    (round: (x: number) => number) =>
    (x: number): number =>
        Number.isNaN(x) ? NaN : Math.abs(round(x)) * (Object.is(x, -0) || x < 0 ? -1 : 1);
const toBfloat = signed(rounding.toBfloat);
const toHalf = signed(rounding.toHalf);

describe('conversions of two-byte floats', () => {
    const { used } = native.instructionSets();
    afterEach(() => {
        native.useInstructionSet(used);
    });

    for (const set of instructionSets) {
        it(`round to nearest even, keep NaN and subnormal numbers, in every lane (${set})`, () => {
            native.useInstructionSet(set);
            const values = patterns(50_000);
            const x = fromTypedArray(values, [values.length]);
            for (const [dtype, round] of [
                ['bfloat16', toBfloat],
                ['float16', toHalf],
            ] as const) {
                const got = x.to(dtype).to('float32').dataSync();
                values.forEach((value, i) => {
                    assert.ok(Object.is(got[i], round(value)), `${dtype} of ${value}: ${String(got[i])}`);
                });
            }
        });

        it(`leave alone what lies around any number of elements (${set})`, () => {
            native.useInstructionSet(set);
            const values = patterns(80);
            for (const [dtype, round] of [
                ['bfloat16', toBfloat],
                ['float16', toHalf],
            ] as const) {
                for (let length = 0; length <= 40; length++) {
                    for (const start of [0, 1, 7]) {
                        const from = slice(fromTypedArray(values, [80]), 0, start, start + length);
                        const to = fromTypedArray(new Float32Array(80).fill(9), [80], { dtype });
                        slice(to, 0, 3, 3 + length).copy_(from);
                        const back = fromTypedArray(new Float32Array(80).fill(9), [80]);
                        slice(back, 0, 5, 5 + length).copy_(slice(to, 0, 3, 3 + length));
                        const expected = (at: number): number[] =>
                            Array.from({ length: 80 }, (_, i) =>
                                i >= at && i < at + length ? round(values[i - at + start] ?? 0) : 9,
                            );
                        assert.deepEqual(Array.from(to.to('float32').dataSync(), Number), expected(3));
                        assert.deepEqual(Array.from(back.dataSync(), Number), expected(5));
                    }
                }
            }
        });
    }
});
