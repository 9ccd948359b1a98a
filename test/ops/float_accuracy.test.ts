import assert from 'node:assert/strict';
import * as ng from '../../lib/index.js';
import { native } from '../../lib/native/addon.js';
import { erf } from '../support/special_functions.js';
import { chooseInstructionSet, instructionSets } from './sample_checks.js';

const bits = new Int32Array(1);
const float = new Float32Array(bits.buffer);

/** Floats in order: neighbours differ by 1, -0 and 0 are one. */
function ordinal(x: number): number {
    float[0] = x;
    const pattern = bits[0] ?? 0;
    return pattern >= 0 ? pattern : -(pattern & 0x7fffffff);
}

/** Distance in units in the last place between a float and the float nearest to the true value. */
function ulps(actual: number, expected: number): number {
    const nearest = Math.fround(expected);
    if (Number.isNaN(actual) || Number.isNaN(nearest)) return Object.is(actual, nearest) ? 0 : Infinity;
    return Math.abs(ordinal(actual) - ordinal(nearest));
}

/** Every exponent with several mantissas and both signs, subnormal numbers, zeros, infinities and NaN. */
function wholeRange(): Float32Array {
    const patterns: number[] = [];
    const mantissas = [
        0, 1, 2, 0x1234, 0x200000, 0x3504f3, 0x3504f4, 0x400000, 0x555555, 0x700001, 0x7ffffe, 0x7fffff,
    ];
    for (let exponent = 0; exponent < 255; exponent++) {
        for (const mantissa of mantissas) patterns.push((exponent << 23) | mantissa);
    }
    patterns.push(0x7f800000, 0x7fc00000);
    const signed = patterns.flatMap((pattern) => [pattern, pattern | 0x80000000]);
    return new Float32Array(Int32Array.from(signed).buffer);
}

/** Evenly spaced numbers, where the functions bend. */
function evenly(low: number, high: number, count: number): Float32Array {
    return Float32Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1));
}

interface Case {
    readonly name: string;
    readonly run: (x: ng.Tensor) => ng.Tensor;
    readonly exact: (x: number) => number;
    /** Largest error in units in the last place, per the header of vector_math.h. */
    readonly ulps: number;
    readonly near: readonly [number, number];
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

const cases: readonly Case[] = [
    { name: 'exp', run: ng.exp, exact: Math.exp, ulps: 2, near: [-104, 89] },
    { name: 'log', run: ng.log, exact: Math.log, ulps: 2, near: [0.5, 2] },
    { name: 'tanh', run: ng.tanh, exact: Math.tanh, ulps: 2, near: [-10, 10] },
    { name: 'sigmoid', run: ng.sigmoid, exact: sigmoid, ulps: 2, near: [-100, 20] },
    { name: 'expm1', run: ng.expm1, exact: Math.expm1, ulps: 2, near: [-20, 89] },
    { name: 'log1p', run: ng.log1p, exact: Math.log1p, ulps: 2, near: [-0.999, 2] },
    { name: 'log2', run: ng.log2, exact: Math.log2, ulps: 2, near: [0.5, 2] },
    { name: 'sin', run: ng.sin, exact: Math.sin, ulps: 2, near: [-100, 100] },
    { name: 'cos', run: ng.cos, exact: Math.cos, ulps: 2, near: [-100, 100] },
    { name: 'tan', run: ng.tan, exact: Math.tan, ulps: 4, near: [-1.5, 1.5] },
    { name: 'erf', run: ng.erf, exact: erf, ulps: 2, near: [-4, 4] },
    { name: 'sqrt', run: ng.sqrt, exact: Math.sqrt, ulps: 0, near: [0, 4] },
    { name: 'reciprocal', run: ng.reciprocal, exact: (x) => 1 / x, ulps: 0, near: [-2, 2] },
];

function worst({ run, exact, near }: Case): { error: number; at: number; got: number } {
    let found = { error: 0, at: 0, got: 0 };
    for (const inputs of [wholeRange(), evenly(near[0], near[1], 20_011)]) {
        const outputs = ng.scope(() => run(ng.tensor(inputs)).dataSync());
        inputs.forEach((x, i) => {
            const got = Number(outputs[i]);
            const error = ulps(got, exact(x));
            if (error > found.error) found = { error, at: x, got };
        });
    }
    return found;
}

describe('float32 functions over the whole range', () => {
    const before = native.instructionSets().used;
    afterEach(() => native.useInstructionSet(before));

    for (const set of instructionSets) {
        for (const one of cases) {
            it(`${one.name} on ${set} is within ${one.ulps} ulp of the true value`, () => {
                chooseInstructionSet(set);
                const { error, at, got } = worst(one);
                assert.ok(
                    error <= one.ulps,
                    `${one.name}(${at}) = ${got}, expected ${Math.fround(one.exact(at))}: ${error} ulp`,
                );
            });
        }
    }
});
