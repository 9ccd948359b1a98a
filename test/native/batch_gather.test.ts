import assert from 'node:assert/strict';
import { batchGather, scope, tensor } from '../../lib/index.js';
import { availableSets, withSet, withThreads } from '../support/processor.js';
import { seededUniform } from '../support/seeded.js';

describe('batch_gather of bytes', () => {
    const options = { dtype: 'float32', scale: 1 / 255, shift: -0.1307 } as const;

    for (const set of availableSets) {
        it(`has the bits of the same numbers in another dtype (${set})`, () => {
            withSet(set, () => {
                const uniform = seededUniform(9);
                for (const size of [1, 15, 16, 17, 33, 784, 2100]) {
                    scope(() => {
                        const values = Array.from({ length: 50 * size }, () => Math.floor(uniform() * 256));
                        const bytes = tensor(values, { dtype: 'uint8' }).reshape([50, size]);
                        const index = tensor(
                            Array.from({ length: 64 }, () => Math.floor(uniform() * 50)),
                            { dtype: 'int32' },
                        );
                        const wanted = batchGather(bytes.to('int32'), index, options).dataSync();
                        for (const count of [1, 2, 3]) {
                            const got = withThreads(count, () =>
                                batchGather(bytes, index, options).dataSync(),
                            );
                            assert.deepEqual(got, wanted, `${size} elements a sample, ${count} threads`);
                        }
                    });
                }
            });
        });
    }

    it('takes views that begin in the middle, and says which index is wrong', () => {
        const bytes = tensor([1, 2, 3, 4, 5, 6, 7, 8], { dtype: 'uint8' }).reshape([4, 2]);
        const index = tensor([1, 0], { dtype: 'int32' });
        assert.deepEqual(
            batchGather(bytes.slice(0, 2, 4), index, { dtype: 'float32', scale: 1, shift: 0 }).toArray(),
            [
                [7, 8],
                [5, 6],
            ],
        );
        const wrong = tensor([0, 3, 4], { dtype: 'int32' });
        assert.throws(() => batchGather(bytes, wrong, options), /index 4 at position 2 is outside \[0, 4\)/);
    });
});
