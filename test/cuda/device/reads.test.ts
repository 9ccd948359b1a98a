import assert from 'node:assert/strict';
import {
    cuda,
    emptyCache,
    full,
    memory,
    ones,
    resetPeak,
    setDefaultDevice,
    tensor,
    zeros,
    type Device,
} from '../../../lib/index.js';
import { entriesOf } from '../../../lib/tensor/tensor_file.js';

describe('elements that come from a GPU', () => {
    let former: Device = 'cpu';
    before(() => (former = setDefaultDevice('cpu')));
    after(() => setDefaultDevice(former));

    it('are saved as they are at the call, few under way at once', async () => {
        const size = 100_000;
        const read = async (limit: { reads: number; bytes: number }): Promise<number> => {
            const pairs = Array.from(
                { length: 6 },
                (_, i) => [String(i), full([size], i, { device: 'cuda' })] as const,
            );
            cuda.synchronize();
            emptyCache('cuda');
            resetPeak('cuda');
            const before = memory('cuda').peakBytes;
            const entries = entriesOf(pairs, limit);
            for (const [, x] of pairs) x.fill_(-1);
            for (const { name, data } of await entries) {
                const values = new Float32Array(data.buffer, data.byteOffset, size);
                assert.ok(
                    values.every((value) => value === Number(name)),
                    name,
                );
            }
            return memory('cuda').peakBytes - before;
        };
        const few = await read({ reads: 6, bytes: 4 * size });
        const fewer = await read({ reads: 1, bytes: Infinity });
        assert.ok(Math.max(few, fewer) < 2 * 4 * size, `${few} and ${fewer} bytes more`);
    });

    it('tell a wrong index where values are read, with the op, and work on', async () => {
        const x = tensor([1, 2, 3], { device: 'cuda' });
        const index = tensor([0, 3], { dtype: 'int32', device: 'cuda' });
        const y = x.indexSelect(0, index);
        const later = y.add(1);
        await assert.rejects(
            later.data(),
            /\[index_select\] index 3 at position 1 is outside \[0, 3\); found when the results were waited for/,
        );
        assert.deepEqual(x.add(1).toArray(), [2, 3, 4]);
        x.indexSelect(0, index);
        assert.throws(() => cuda.synchronize(), /\[index_select\] index 3/);
        cuda.synchronize();
        const table = ones([2, 3], { device: 'cuda' });
        const places = tensor([[0, 1, 2, -1]], { dtype: 'int64', device: 'cuda' });
        assert.throws(
            () => table.gather(1, places).toArray(),
            /\[gather\] index -1 at position \[0, 3\] is outside \[0, 3\)/,
        );
        assert.deepEqual(table.toArray(), [
            [1, 1, 1],
            [1, 1, 1],
        ]);
    });

    it('are those of the moment they were asked for', async () => {
        const x = tensor([1, 2, 3], { device: 'cuda' });
        const before = x.data();
        x.copy_(tensor([7, 8, 9], { device: 'cuda' }));
        const after = x.data();
        x.dispose();
        zeros([3], { device: 'cuda' }).add(5);
        assert.deepEqual(
            [[...(await before)], [...(await after)]],
            [
                [1, 2, 3],
                [7, 8, 9],
            ],
        );
    });

    it('come in order from many reads at once', async () => {
        const x = ones([], { device: 'cuda' });
        const values = await Promise.all(Array.from({ length: 150 }, (_, i) => x.mul(i).data()));
        assert.deepEqual(
            values.map(([value]) => value),
            values.map((_, i) => i),
        );
    });
});
