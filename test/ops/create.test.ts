import assert from 'node:assert/strict';
import {
    arange,
    bernoulli,
    eye,
    fromTypedArray,
    full,
    fullLike,
    Generator,
    linspace,
    ones,
    onesLike,
    rand,
    randint,
    randn,
    randperm,
    tensor,
    zeros,
    zerosLike,
    type NestedArray,
    type TensorOptions,
} from '../../lib/index.js';

describe('tensor()', () => {
    it('refuses arrays that hold themselves, or lie deeper than a rank can', () => {
        const cyclic: NestedArray[] = [];
        cyclic.push(cyclic);
        assert.throws(
            () => tensor(cyclic),
            /\[tensor\] arrays lie more than 8 deep, .* does one hold itself\?/,
        );
        let deep: NestedArray = 1;
        for (let i = 0; i < 9; i++) deep = [deep];
        assert.throws(() => tensor(deep), /more than 8 deep/);
        const lower: NestedArray[] = [1];
        lower.push(lower);
        assert.throws(() => tensor(lower), RangeError);
    });

    it('refuses numbers that an integer dtype cannot hold, as PyTorch does', () => {
        assert.throws(
            () => tensor([300], { dtype: 'uint8' }),
            /\[tensor\] 300 does not fit into uint8; take a wider/,
        );
        assert.throws(() => tensor([-256], { dtype: 'uint8' }), RangeError);
        assert.throws(() => tensor([2 ** 31], { dtype: 'int32' }), RangeError);
        assert.throws(() => tensor([2 ** 63], { dtype: 'int64' }), RangeError);
        assert.throws(() => tensor([Infinity], { dtype: 'int32' }), RangeError);
        for (const dtype of ['int64', 'int32', 'uint8'] as const) {
            assert.throws(
                () => tensor([NaN], { dtype }),
                new RegExp(`NaN does not fit into ${dtype}; use a float`),
            );
        }
        assert.throws(() => full([2], 300, { dtype: 'uint8' }), /\[full\] 300 does not fit/);
        assert.throws(() => zeros([1], { dtype: 'int32' }).fill_(1e10), /\[fill_\] 10000000000 does not fit/);
    });

    it('takes the numbers at the ends, without their fraction', () => {
        assert.deepEqual(tensor([255, -1, 254.9], { dtype: 'uint8' }).toArray(), [255, 255, 254]);
        const ends = [-(2 ** 31), 2 ** 31 - 1];
        assert.deepEqual(tensor(ends, { dtype: 'int32' }).toArray(), ends);
        assert.deepEqual(
            tensor([-(2 ** 63), 1.9], { dtype: 'int64' }).dataSync(),
            BigInt64Array.of(-(2n ** 63n), 1n),
        );
        assert.deepEqual(tensor([NaN, 1e40, 0], { dtype: 'bool' }).toArray(), [1, 1, 0]);
    });

    it('says what else came', () => {
        const make = tensor as (data: unknown) => unknown;
        assert.throws(
            () => make([1n]),
            /got the BigInt 1n; pass a BigInt64Array for int64, or Number\(value\)/,
        );
        assert.throws(() => make(undefined), /elements must be numbers or booleans, got undefined/);
        assert.throws(() => make(Promise.resolve([1])), /got a Promise; is an `await` missing/);
        assert.throws(() => make([{ x: 1 }]), /got an object \{ x \}/);
    });
});

describe('functions that make tensors', () => {
    const x = ones([2]);
    /** As JavaScript calls them, without types. */
    const makers: Record<string, (options: object) => unknown> = {
        tensor: (options) => tensor([1], options),
        fromTypedArray: (options) => fromTypedArray(Float32Array.of(1), [1], options),
        full: (options) => full([2], 1, options),
        zeros: (options) => zeros([2], options),
        ones: (options) => ones([2], options),
        fullLike: (options) => fullLike(x, 1, options),
        zerosLike: (options) => zerosLike(x, options),
        onesLike: (options) => onesLike(x, options),
        arange: (options) => arange(0, 3, 1, options),
        linspace: (options) => linspace(0, 1, 3, options),
        eye: (options) => eye(2, 2, options),
        rand: (options) => rand([2], options),
        randn: (options) => randn([2], options),
        randint: (options) => randint(0, 5, [2], options),
        randperm: (options) => randperm(3, options),
        bernoulli: (options) => bernoulli([2], 0.5, options),
    };

    for (const [name, make] of Object.entries(makers)) {
        it(`${name} refuses misspelt options, and what is none`, () => {
            const says = (options: unknown, message: string): void =>
                assert.throws(
                    () => make(options as object),
                    (error: Error) =>
                        error instanceof TypeError && error.message.startsWith(`[${name}] ${message}`),
                );
            says({ requires_grad: true }, "unknown option 'requires_grad'; did you mean 'requiresGrad'?");
            says(
                { type: 'int32' },
                "unknown option 'type'; did you mean 'dtype'? It has dtype, device, requiresGrad",
            );
            says({ shape: [2] }, "unknown option 'shape'; it has dtype");
            says('int32', 'options must be an object such as { dtype }');
            assert.ok(make({ dtype: 'float32' }));
        });
    }

    it('name themselves where device, dtype or memory is wrong', () => {
        const calls: Record<string, (options: TensorOptions) => unknown> = {
            tensor: (options) => tensor([1], options),
            fromTypedArray: (options) => fromTypedArray(new Float32Array(1), [1], options),
            zeros: (options) => zeros([2], options),
            ones: (options) => ones([2], options),
            full: (options) => full([2], 1, options),
            zerosLike: (options) => zerosLike(ones([2]), options),
            arange: (options) => arange(0, 3, 1, options),
            linspace: (options) => linspace(0, 1, 3, options),
            eye: (options) => eye(2, 2, options),
            rand: (options) => rand([2], options),
            randn: (options) => randn([2], options),
            randint: (options) => randint(0, 3, [2], options),
            randperm: (options) => randperm(3, options),
            bernoulli: (options) => bernoulli([1], tensor([0.5]), options),
        };
        for (const [name, call] of Object.entries(calls)) {
            assert.throws(
                () => call({ device: 'gpu' as never }),
                new RegExp(
                    `^TypeError: \\[${name}\\] unknown device 'gpu'; expected 'cpu', 'cuda' or 'cuda:1'`,
                ),
            );
            assert.throws(
                () => call({ dtype: 'float' as never }),
                new RegExp(`^TypeError: \\[${name}\\] unknown dtype 'float'`),
            );
        }
        assert.throws(() => zeros([1e6, 1e6, 1e3]), /\[zeros\] out of memory/);
        assert.throws(() => arange(0, 1e15), /\[arange\] out of memory/);
    });

    it('that draw take a generator, the others none', () => {
        const generator = new Generator(1);
        assert.deepEqual(rand([2], { generator }).shape, [2]);
        assert.throws(
            () => Reflect.apply(zeros, undefined, [[1], { generator }]),
            /\[zeros\] unknown option 'generator'/,
        );
        assert.throws(() => Reflect.apply(randn, undefined, [[1], { seed: 1 }]), /did you mean 'generator'/);
    });
});
