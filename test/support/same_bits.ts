import assert from 'node:assert/strict';

import { defaultDevice } from '../../lib/index.js';

/** The same numbers: bit for bit on the CPU; on a GPU, where captured steps may add up in another order, within 1e-5. */
export function assertSameBits(actual: readonly number[], expected: readonly number[]): void {
    if (defaultDevice() === 'cpu') {
        assert.deepEqual(actual, expected);
        return;
    }
    assert.equal(actual.length, expected.length);
    actual.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-5, `${value}, ${expected[i]}`));
}
