import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { dtypes, nn, tensor, transpose, zeros } from '../../lib/index.js';
import { SafetensorsError } from '../../lib/io/safetensors.js';
import { loadTensors, saveTensors } from '../../lib/tensor/tensor_file.js';

describe('tensor files', () => {
    let folder: string;
    let path: string;
    beforeEach(() => {
        folder = mkdtempSync(join(tmpdir(), 'nativegrad-'));
        path = join(folder, 'tensors.safetensors');
    });
    afterEach(() => {
        rmSync(folder, { recursive: true, force: true });
    });

    it('keep every dtype, shape and value', async () => {
        const values = [
            [1, 0, 1],
            [0, 1, 1],
        ];
        const pairs = dtypes.map((dtype) => [dtype, tensor(values, { dtype })] as const);
        await saveTensors(path, new Map(pairs), { kind: 'test' });
        const { tensors, metadata } = await loadTensors(path);
        assert.equal(metadata.get('kind'), 'test');
        assert.equal(tensors.size, dtypes.length);
        for (const [name, x] of pairs) {
            const y = tensors.get(name)!;
            assert.deepEqual([y.dtype, y.shape, y.toArray()], [x.dtype, [2, 3], values], name);
        }
    });

    it('refuse what is not tensors under names', async () => {
        const cases: [unknown, RegExp][] = [
            [tensor([1]), /\[saveTensors\] expected tensors under names, .* got a Tensor/],
            [[tensor([1])], /\[saveTensors\] .* got an array/],
            [new nn.Linear(2, 1), /\[saveTensors\] .*; of a model, pass model\.stateDict\(\)/],
            [{ w: 1 }, /\[saveTensors\] .* got .*1.* under 'w'/],
            [undefined, /\[saveTensors\] .* got undefined/],
        ];
        for (const [tensors, message] of cases)
            await assert.rejects(saveTensors(path, tensors as never), message);
        assert.deepEqual(readdirSync(folder), []);
    });

    it('keep the golden file of the reference writer byte for byte', async () => {
        const golden = new URL('../golden/safetensors/every_dtype.safetensors', import.meta.url);
        const { tensors, metadata } = await loadTensors(golden.pathname);
        assert.equal(tensors.get('i.scalar')!.item(), 42);
        assert.deepEqual([...tensors.get('e.int64')!.dataSync()], [-(2n ** 63n), 2n ** 53n + 1n]);
        await saveTensors(path, tensors, Object.fromEntries(metadata));
        assert.deepEqual(readFileSync(path), readFileSync(golden));
    });

    it('store views in row-major order, and empty and 0-d tensors', async () => {
        const x = tensor([
            [1, 2, 3],
            [4, 5, 6],
        ]);
        await saveTensors(path, { t: transpose(x, 0, 1), empty: zeros([0, 3]), scalar: tensor(7) });
        const { tensors } = await loadTensors(path);
        assert.deepEqual(tensors.get('t')!.toArray(), [
            [1, 4],
            [2, 5],
            [3, 6],
        ]);
        assert.deepEqual(tensors.get('empty')!.shape, [0, 3]);
        assert.equal(tensors.get('scalar')!.item(), 7);
    });

    it('take a device, and no other option', async () => {
        await saveTensors(path, { x: tensor([1]) });
        assert.equal((await loadTensors(path, { device: 'cpu' })).tensors.get('x')!.device, 'cpu');
        await assert.rejects(
            loadTensors(path, { devise: 'cpu' } as never),
            /^TypeError: \[loadTensors\] unknown option 'devise'; did you mean 'device'\?/,
        );
        await assert.rejects(loadTensors(path, 'cpu' as never), /\[loadTensors\] options must be an object/);
        await assert.rejects(
            loadTensors(path, { device: 'gpu' as never }),
            /\[loadTensors\] unknown device 'gpu'/,
        );
    });

    it('are copied before the promise is returned', async () => {
        const x = tensor([1, 2]);
        const saving = saveTensors(path, { x });
        x.dispose();
        await saving;
        assert.deepEqual((await loadTensors(path)).tensors.get('x')!.toArray(), [1, 2]);
    });

    it('refuse a disposed tensor and a reserved name, and write nothing', async () => {
        const x = tensor([1]);
        x.dispose();
        await assert.rejects(saveTensors(path, { x }), /disposed/);
        await assert.rejects(saveTensors(path, { __metadata__: tensor([1]) }), SafetensorsError);
        assert.deepEqual(readdirSync(folder), []);
    });
});
