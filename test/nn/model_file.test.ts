import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadTensors, nn, ones, SafetensorsError, saveTensors, type NamedTensors } from '../../lib/index.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const everyField: nn.ModelInfo = {
    inputShape: [3],
    normalization: { mean: [0.5, -1, 2], std: [1, 2, 0.25] },
    classNames: ['cat', 'dog', 'Käuzchen', ''],
    loss: 'cce',
    training: { optimizer: 'adam', hidden: [4, 8], nested: { gradientClip: null, shuffle: true } },
    extra: { note: 'mine' },
};

describe('model files', () => {
    const folder = useTemporaryFolder();
    const path = (name = 'model.safetensors'): string => join(folder(), name);

    it('hold weights, statistics and architecture', async () => {
        const model = new nn.Sequential(new nn.Linear(3, 4), new nn.BatchNorm1d(4), new nn.ReLU());
        model.forward(ones([2, 3]));
        await nn.saveModel(path(), model);
        const { model: copy, info } = await nn.loadModel(path());
        assert.deepEqual(info, {});
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

    it('are read with a device, and no other option', async () => {
        await nn.saveModel(path(), new nn.Sequential(new nn.Linear(3, 4)));
        const { model } = await nn.loadModel(path(), { device: 'cpu' });
        assert.ok(model.parameters().every(({ device }) => device === 'cpu'));
        await assert.rejects(
            nn.loadModel(path(), { map: 'cpu' } as never),
            /^TypeError: \[loadModel\] unknown option 'map'; it has device$/,
        );
        await assert.rejects(
            nn.loadModel(path(), { device: 'gpu' as never }),
            /\[loadModel\] unknown device 'gpu'/,
        );
    });

    it('hold what else is needed to use a model', async () => {
        await nn.saveModel(path(), new nn.Sequential(new nn.Linear(3, 4)), everyField);
        assert.deepEqual((await nn.loadModel(path())).info, everyField);
    });

    it('are not written with wrong information', async () => {
        const model = new nn.Sequential(new nn.ReLU());
        const refused = async (info: object, message: RegExp): Promise<void> => {
            await assert.rejects(nn.saveModel(path(), model, info), (error) => {
                assert.ok(error instanceof nn.ConfigError);
                assert.match(error.message, message);
                return true;
            });
        };
        const circle: Record<string, unknown> = {};
        circle.self = circle;
        await refused({ inputShape: [0, 3] }, /^info\.inputShape\[0\]: expected an integer from 1 .*got 0$/);
        await refused({ normalization: { mean: [0] } }, /^info\.normalization\.std: expected .*got nothing$/);
        await refused({ normalization: { mean: [0], std: [NaN] } }, /std\[0\]: expected a finite.*got NaN$/);
        await refused(
            { normalization: { mean: [0], std: [0] } },
            /std\[0\]: expected a number above 0, got 0/,
        );
        await refused({ normalization: { mean: [0, 1], std: [1] } }, /as many means as deviations.*2 and 1/);
        await refused({ classNames: [1] }, /info\.classNames\[0\]: expected a text, got 1/);
        await refused(
            { training: { rate: Infinity } },
            /training\.rate: expected a finite number, got Infinity/,
        );
        await refused({ training: [] }, /info\.training: expected an object/);
        await refused({ training: { steps: 5n } }, /training\.steps: expected JSON, got 5/);
        await refused({ extra: circle }, /expected at most 32 levels/);
        await refused({ note: 'x' }, /^info: unknown option 'note'; it has inputShape, normalization/);
        await assert.rejects(loadTensors(path()), /no such file/);
    });

    /** What `loadModel` says, behind the path, to a file with these tensors and texts. */
    async function refusal(tensors: NamedTensors, header: Record<string, string>): Promise<string> {
        await saveTensors(path(), tensors, header);
        const error: unknown = await nn.loadModel(path()).catch((reason: unknown) => reason);
        assert.ok(error instanceof nn.ModelFileError, String(error));
        assert.ok(error.message.startsWith(`${path()}: `), error.message);
        return error.message.slice(path().length + 2);
    }

    function header(layers: readonly object[], info?: unknown): Record<string, string> {
        const architecture = JSON.stringify({ version: 1, dtype: 'float32', layers });
        const texts = { 'nativegrad.architecture': architecture };
        return info === undefined ? texts : { ...texts, 'nativegrad.info': JSON.stringify(info) };
    }

    const linear = { type: 'Linear', inFeatures: 1, outFeatures: 2, bias: false };

    it('without an architecture are refused, with the way to use their weights', async () => {
        const weights = { 'fc.weight': ones([2]), 'fc.bias': ones([2]) };
        const message = await refusal(weights, { format: 'pt' });
        assert.match(message, /^holds weights without an architecture \(written by PyTorch, 2 tensors: fc\./);
        assert.match(message, /model\.loadStateDict\(\(await loadTensors\(path\)\)\.tensors\)/);
        assert.match(await refusal({}, {}), /without an architecture \(0 tensors/);
    });

    it('are refused, by name, where weights and architecture differ', async () => {
        const w = ones([2]);
        const missing = /^\[loadStateDict\].*missing: 0\.weight; unexpected: w/;
        assert.match(await refusal({ w }, header([linear])), missing);
        const shape = /0\.weight is \[2, 1\], got \[2\]/;
        assert.match(await refusal({ '0.weight': w }, header([linear])), shape);
        const extra = await refusal({ '0.weight': ones([2, 1]), w }, header([linear]));
        assert.match(extra, /unexpected: w/);
    });

    it('do not build layers of gigabytes for a few bytes of JSON', async () => {
        const huge = { ...linear, inFeatures: 2 ** 30, outFeatures: 2 ** 30 };
        const begin = performance.now();
        const message = await refusal({ w: ones([2]) }, header([huge]));
        assert.match(message, /take 1152921504606847000 weights, at most 2 are/);
        assert.ok(performance.now() - begin < 2000);
    });

    it('are refused where their texts are damaged', async () => {
        const weight = { '0.weight': ones([2, 1]) };
        const damaged = { 'nativegrad.architecture': '{' };
        assert.match(await refusal(weight, damaged), /nativegrad\.architecture in its header is no JSON/);
        const layer = await refusal(weight, header([{ type: 'Lineer' }]));
        assert.match(layer, /^\[fromConfig\] layers\[0\]\.type: expected the name.*got "Lineer"/);
        for (const info of [null, [], 'x', { inputShape: 'x' }, { extra: 1 }, { more: 1 }])
            assert.match(await refusal(weight, header([linear], info)), /^info/);
        const texts = { ...header([linear]), 'nativegrad.info': 'x' };
        assert.match(await refusal(weight, texts), /nativegrad\.info in its header is no JSON/);
        await writeFile(path(), 'x');
        await assert.rejects(nn.loadModel(path()), SafetensorsError);
        await assert.rejects(nn.loadModel(path('missing')), SafetensorsError);
    });

    it('are not written for models that cannot be described', async () => {
        class Mine extends nn.ReLU {}
        await assert.rejects(nn.saveModel(path(), new nn.Sequential(new Mine())), /Mine '0'/);
    });
});
