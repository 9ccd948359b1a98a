import assert from 'node:assert/strict';
import { packTree, unpackTree } from '../../lib/train/state_tree.js';
import { tensor, type Tensor } from '../../lib/index.js';

describe('the tree of a state', () => {
    const through = (state: unknown): unknown => {
        const tensors = new Map<string, Tensor>();
        const text = JSON.stringify(packTree(state, tensors));
        return unpackTree(JSON.parse(text), tensors);
    };

    it('comes back with numbers, lists, Maps and tensors', () => {
        const state = { a: [NaN, -Infinity, -0, 1.5, 'x', null, true], b: new Map([['t', tensor([1, 2])]]) };
        assert.deepEqual(through(state), state);
    });

    it('comes back with typed arrays, bit for bit', () => {
        const state = {
            counts: Int32Array.of(-1, 2 ** 31 - 1),
            sums: Float64Array.of(0.1, -0, NaN, 5e-324),
            part: new Float32Array([1, 2, 3, 4]).subarray(1, 3),
            mask: new Uint8Array(0),
            clamped: Uint8ClampedArray.of(255),
            big: BigInt64Array.of(-(2n ** 63n)),
        };
        assert.deepEqual(through(state), state);
    });

    it('says what it does not take, and where', () => {
        const odd: [unknown, string][] = [
            [new Date(0), 'a Date'],
            [() => 1, 'a function'],
            [1n, 'the BigInt 1n'],
            [new DataView(new ArrayBuffer(1)), 'a DataView'],
        ];
        for (const [value, name] of odd)
            assert.throws(() => through({ inner: [value] }), {
                name: 'TypeError',
                message: `[checkpoint] a state holds ${name} at 'inner.0'; give numbers, texts, lists, plain objects, Maps, typed arrays and tensors`,
            });
    });
});
