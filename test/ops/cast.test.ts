import assert from 'node:assert/strict';
import { dtypes, fromTypedArray, scope, tensor, type DType } from '../../lib/index.js';
import { isFloat } from '../../lib/tensor/dtype.js';
import { toBfloat, toHalf } from '../support/rounding.js';
import { native } from '../../lib/native/addon.js';
import { chooseInstructionSet, instructionSets } from './sample_checks.js';

const fractions = [
    0, -0, 0.1, 1.5, -1.5, 2.75, 100.7, 255, 1e-7, 6e-8, 1e-40, 1.00390625, 1.01171875, 2049, 4097,
];
const huge = [65504, 65519, 65520, 3e38, 3.4e38, -3e38, Infinity, -Infinity, NaN];
const whole = [0, 1, -1, 2, 127, 128, 200, 255, 256, -300, 65535, 2 ** 24 + 1, 2 ** 31 - 1, -(2 ** 31)];
const wide = [2 ** 31, 2 ** 40 + 1, 2 ** 53 - 1, -(2 ** 53) + 1];

/** What a tensor of that dtype holds after a number is stored in it. */
function stored(value: number, dtype: DType): number {
    switch (dtype) {
        case 'float64':
            return value;
        case 'float32':
            return Math.fround(value);
        case 'float16':
            return toHalf(value);
        case 'bfloat16':
            return toBfloat(value);
        case 'int64':
            return Math.trunc(value);
        case 'int32':
            return Number(BigInt.asIntN(32, BigInt(Math.trunc(value))));
        case 'uint8':
            return Number(BigInt.asUintN(8, BigInt(Math.trunc(value))));
        case 'bool':
            return Number(value !== 0);
    }
}

/** Numbers that the source dtype holds, and whose cast is defined. */
function valuesFor(source: DType, target: DType): number[] {
    const candidates = isFloat(source) ? [...fractions, ...whole, ...huge] : [...whole, ...wide];
    const held = candidates.map((value) => stored(isFloat(source) ? value : Math.trunc(value), source));
    const defined = isFloat(target) || target === 'bool' ? held : held.filter((x) => Math.abs(x) < 2 ** 62);
    return [...defined, ...defined.slice(0, 16)];
}

describe('cast', () => {
    const before = native.instructionSets().used;
    afterEach(() => native.useInstructionSet(before));

    for (const source of dtypes) {
        it(`brings ${source} into every dtype`, () => {
            for (const set of instructionSets) {
                chooseInstructionSet(set);
                for (const target of dtypes) {
                    const values = valuesFor(source, target);
                    const result = scope(() => {
                        const x = fromTypedArray(Float64Array.from(values), [values.length], {
                            dtype: source,
                        });
                        return Array.from(x.to(target).dataSync(), Number);
                    });
                    const expected = values.map((value) => stored(value, target) + 0);
                    assert.deepEqual(
                        result.map((value) => value + 0),
                        expected,
                        `${source} to ${target} on ${set}`,
                    );
                }
            }
        });
    }

    it('keeps the sign of zero, and the tensor itself where the dtype is the same', () => {
        const x = tensor([-0, 0], { dtype: 'float64' });
        for (const dtype of ['float32', 'float16', 'bfloat16'] as const)
            assert.ok(Object.is(x.to(dtype).toArray()[0 as never], -0), dtype);
        assert.equal(x.to('float64'), x);
    });

    it('casts every two-byte pattern to float32 and back', () => {
        const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
        for (const dtype of ['float16', 'bfloat16'] as const) {
            for (const set of instructionSets) {
                chooseInstructionSet(set);
                const wide = fromTypedArray(patterns, [65536], { dtype }).to('float32');
                const again = wide.to(dtype).to('float32').dataSync();
                assert.deepEqual(Array.from(again, Number), Array.from(wide.dataSync(), Number));
            }
        }
    });

    it('refuses an unknown dtype', () => {
        assert.throws(
            () => tensor([1]).to('float8' as DType),
            /unknown dtype or device 'float8'; expected one of float32/,
        );
    });
});
