import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { DIGIT_INFO, loadDigitModel } from '../../lib/cli/digit_model.js';
import { layerFlagsWarning, readLayerFlags } from '../../lib/cli/layer_flags.js';
import { loadModelFile } from '../../lib/cli/model_formats.js';
import { nn, NpyError, saveNpz, saveTensors } from '../../lib/index.js';
import { modelTexts } from '../../lib/nn/model_texts.js';
import { buildClassifier } from '../../lib/train/classifier.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

describe('model files by their endings', () => {
    const folder = useTemporaryFolder();
    const at = (name: string): string => join(folder(), name);
    const flags = (line: string): ReturnType<typeof readLayerFlags> =>
        readLayerFlags(
            Object.fromEntries(line.split(' ').map((pair) => pair.split('=') as [string, string])),
        );

    async function refuses(name: string, pattern: RegExp, line = 'architecture=mlp'): Promise<void> {
        await assert.rejects(loadModelFile(at(name), flags(line), DIGIT_INFO), (error) => {
            assert.ok(
                [nn.OnnxError, nn.ModelFileError, NpyError].some((kind) => error instanceof kind),
                String(error),
            );
            assert.ok(error instanceof Error && error.message.startsWith(`${at(name)}: `), String(error));
            assert.match(error.message, pattern);
            return true;
        });
    }

    it('take weights alone for the layers of the flags, with digits as input', async () => {
        const options = {
            architecture: 'cnn',
            convChannels: [2],
            hiddenSizes: [4],
            useBatchNorm: true,
        } as const;
        const model = buildClassifier(options).to('float64');
        const weights = [...model.stateDict()].filter(([name]) => !name.endsWith('num_batches_tracked'));
        await saveNpz(at('w.NPZ'), Object.fromEntries(weights));
        const line = 'architecture=cnn convChannels=2 hiddenSizes=4 useBatchNorm=true';
        const loaded = await loadDigitModel(at('w.NPZ'), flags(line));
        assert.ok(loaded.byFlags);
        assert.deepEqual(loaded.range, { mean: 0.1307, std: 0.3081 });
        assert.deepEqual(
            loaded.model.stateDict().get('0.weight')?.toArray(),
            model.to('float32').stateDict().get('0.weight')?.toArray(),
        );
        assert.equal(loaded.model.training, false);
    });

    it('take weights alone from safetensors, too, as PyTorch writes them', async () => {
        const model = buildClassifier({ hiddenSizes: [8], useBatchNorm: true });
        const weights = [...model.stateDict()].filter(([name]) => !name.endsWith('num_batches_tracked'));
        await saveTensors(at('w.safetensors'), new Map(weights), { format: 'pt' });
        const line = 'hiddenSizes=8 useBatchNorm=true';
        const loaded = await loadDigitModel(at('w.safetensors'), flags(line));
        assert.ok(loaded.byFlags);
        assert.deepEqual(
            loaded.model.stateDict().get('1.weight')?.toArray(),
            model.stateDict().get('1.weight')?.toArray(),
        );
        await refuses(
            'w.safetensors',
            /: it does not say which layers it has, and its tensors do not fit the layers: missing: 3\.weight, 3\.bias; unexpected: 2\.bias, .*; give the flags of train .*--hidden_sizes$/,
            'hiddenSizes=8',
        );
    });

    it('take the layers of an .npz that names them', async () => {
        const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(784, 10));
        await saveNpz(at('w.npz'), model.stateDict(), modelTexts(model, { inputShape: [1, 28, 28] }));
        const { model: copy, info, byFlags } = await loadModelFile(at('w.npz'), {}, DIGIT_INFO);
        assert.deepEqual([copy.length, info.inputShape, byFlags], [2, [1, 28, 28], false]);
        assert.equal(layerFlagsWarning({}, 'w.npz'), undefined);
        assert.match(
            layerFlagsWarning({ hiddenSizes: '3', useBatchNorm: true }, 'w.npz') ?? '',
            /^--hidden_sizes, --use_batch_norm without effect: w\.npz says itself/,
        );
    });

    it('refuse what does not fit, naming what is missing and unexpected', async () => {
        await saveNpz(at('w.npz'), new nn.Sequential(new nn.Linear(784, 10)).stateDict());
        const names =
            '1\\.weight, 1\\.bias, 3\\.weight, 3\\.bias; unexpected: 0\\.weight, 0\\.bias; give the flags';
        await refuses('w.npz', new RegExp(`do not fit the layers: missing: ${names}`), 'hiddenSizes=8');
        const layers = Array.from({ length: 9 }, () => new nn.Linear(2, 2));
        await saveNpz(at('w.npz'), new nn.Sequential(...layers).stateDict());
        await refuses('w.npz', /unexpected: .* and 2 more; give/, 'hiddenSizes=8');
        await saveNpz(at('w.npz'), buildClassifier({ hiddenSizes: [9] }).stateDict());
        await refuses(
            'w.npz',
            /its tensors do not fit .*1\.weight.*\[9, 784\].*give the flags/,
            'hiddenSizes=8',
        );
        const model = new nn.Sequential(new nn.Linear(2, 2));
        const texts = modelTexts(model, {});
        await saveNpz(at('w.npz'), { '0.bias': model.parameters()[1] }, texts);
        await refuses('w.npz', /the layers take 4 weights, at most 2 are allowed/);
        await saveNpz(at('w.npz'), model.stateDict(), { 'nativegrad.architecture': '{' });
        await refuses('w.npz', /nativegrad\.architecture in its header is no JSON/);
        await refuses('none.npz', /no such file/);
        await refuses('none.onnx', /no such file/);
        await nn.exportOnnx(model, at('a.onnx'), { inputShape: [2] });
        writeFileSync(at('cut.onnx'), readFileSync(at('a.onnx')).subarray(0, 40));
        await refuses('cut.onnx', /damaged, or no ONNX file: /);
        await assert.rejects(loadDigitModel(at('a.onnx')), /a\.onnx: does not say how images go in/);
    });
});
