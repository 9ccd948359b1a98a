import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nn, ones, saveTensors } from '../../lib/index.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

describe('model files', () => {
    const folder = useTemporaryFolder();
    const path = (name: string): string => join(folder(), name);

    it('hold weights, statistics and architecture', async () => {
        const model = new nn.Sequential(new nn.Linear(3, 4), new nn.BatchNorm1d(4), new nn.ReLU());
        model.forward(ones([2, 3]));
        await nn.saveModel(path('model.safetensors'), model, { note: 'mine' });
        const { model: copy, metadata } = await nn.loadModel(path('model.safetensors'));
        assert.equal(metadata.get('note'), 'mine');
        assert.equal(copy.training, false);
        assert.deepEqual(
            copy.forward(ones([2, 3])).toArray(),
            model
                .eval()
                .forward(ones([2, 3]))
                .toArray(),
        );
        assert.equal(copy.namedBuffers().length, 3);
    });

    it('are refused, by name, when they hold something else', async () => {
        await saveTensors(path('weights.safetensors'), { w: ones([2]) });
        await assert.rejects(
            nn.loadModel(path('weights.safetensors')),
            /weights\.safetensors: holds no model/,
        );
        const header = (layers: unknown[]): Record<string, string> => ({
            'nativegrad.architecture': JSON.stringify({ version: 1, dtype: 'float32', layers }),
        });
        const linear = { type: 'Linear', inFeatures: 1, outFeatures: 2, bias: false };
        await saveTensors(path('other.safetensors'), { w: ones([2]) }, header([linear]));
        await assert.rejects(
            nn.loadModel(path('other.safetensors')),
            /other\.safetensors: \[loadStateDict\].*missing: 0\.weight; unexpected: w/,
        );
        await saveTensors(
            path('huge.safetensors'),
            { w: ones([2]) },
            header([{ ...linear, inFeatures: 1e6 }]),
        );
        await assert.rejects(nn.loadModel(path('huge.safetensors')), /take 2000000 weights, at most 2 are/);
        await saveTensors(path('text.safetensors'), { w: ones([2]) }, { 'nativegrad.architecture': '{' });
        await assert.rejects(nn.loadModel(path('text.safetensors')), nn.ArchitectureError);
        await writeFile(path('broken.safetensors'), 'x');
        await assert.rejects(nn.loadModel(path('broken.safetensors')), /broken\.safetensors/);
    });

    it('are not written for models that cannot be described', async () => {
        class Mine extends nn.ReLU {}
        await assert.rejects(
            nn.saveModel(path('mine.safetensors'), new nn.Sequential(new Mine())),
            /Mine '0'/,
        );
    });
});
