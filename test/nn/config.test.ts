import assert from 'node:assert/strict';
import { defaultGenerator, nn, ones } from '../../lib/index.js';

const everything = (): nn.Sequential =>
    new nn.Sequential(
        new nn.Conv2d(1, 4, 3, { padding: 'same', bias: false }),
        new nn.BatchNorm2d(4, { momentum: null }),
        new nn.Sequential(new nn.ReLU(), new nn.MaxPool2d([2, 2], { ceilMode: true })),
        new nn.ConvTranspose2d(4, 4, 2, { stride: 2, groups: 2, outputPadding: 1 }),
        new nn.GroupNorm(2, 4),
        new nn.AvgPool2d(2, { stride: [1, 2], countIncludePad: false }),
        new nn.AdaptiveAvgPool2d(3),
        new nn.GELU('tanh'),
        new nn.Flatten(2),
        new nn.Conv1d(4, 2, 3, { dilation: 2 }),
        new nn.BatchNorm1d(2),
        new nn.Flatten(),
        new nn.Linear(10, 6, { bias: false }),
        new nn.LayerNorm(6, { eps: 1e-3 }),
        new nn.Dropout(0.25),
        ...[new nn.LeakyReLU(0.1), new nn.ELU(2), new nn.SiLU(), new nn.Softplus(2, 10), new nn.Sigmoid()],
        ...[new nn.Tanh(), new nn.Identity(), new nn.Softmax(), new nn.LogSoftmax(1)],
    );

describe('toConfig and fromConfig', () => {
    it('describe and rebuild every layer through JSON', () => {
        const model = everything().eval();
        const text = JSON.stringify(nn.toConfig(model));
        const copy = nn.fromConfig(JSON.parse(text)).eval();
        assert.equal(JSON.stringify(nn.toConfig(copy)), text);
        copy.loadStateDict(model.stateDict());
        const x = ones([2, 1, 8, 8]);
        assert.deepEqual(copy.forward(x).toArray(), model.forward(x).toArray());
    });

    it('keep the dtype and the padding row of an embedding', () => {
        const model = new nn.Sequential(new nn.Embedding(4, 2, { paddingIndex: 1 })).to('float64');
        const copy = nn.fromConfig(nn.toConfig(model));
        assert.equal(String(copy), String(model));
        assert.equal(copy.parameters()[0].dtype, 'float64');
    });

    it('keep a layer that stands at several places one layer', () => {
        const [line, block] = [new nn.Linear(2, 2), new nn.Sequential(new nn.Linear(2, 2), new nn.Tanh())];
        const model = new nn.Sequential(line, block, line, new nn.Sequential(block.at(0), block));
        const config = nn.toConfig(model);
        assert.deepEqual(config.layers[2], { type: 'Shared', layer: '0' });
        assert.deepEqual(config.layers[3].layers, [
            { type: 'Shared', layer: '1.0' },
            { type: 'Shared', layer: '1' },
        ]);
        const copy = nn.fromConfig(JSON.parse(JSON.stringify(config)));
        assert.equal(copy.at(2), copy.at(0));
        const [first, last] = [copy.at(1), copy.at(3)];
        assert.ok(first instanceof nn.Sequential && last instanceof nn.Sequential);
        assert.equal(last.at(1), first);
        assert.equal(last.at(0), first.at(0));
        assert.equal(copy.parameters().length, 4);
        copy.loadStateDict(model.stateDict());
        const x = ones([1, 2]);
        assert.deepEqual(copy.forward(x).toArray(), model.forward(x).toArray());
    });

    it('refuse one parameter in two layers', () => {
        const [first, second] = [new nn.Linear(2, 2), new nn.Linear(2, 2)];
        Reflect.set(second, 'weight', first.weight);
        assert.throws(
            () => nn.toConfig(new nn.Sequential(first, new nn.Sequential(second))),
            /0\.weight and 1\.0\.weight are one parameter of two layers.*saveTensors\(path/,
        );
    });

    it('leave the default generator alone', () => {
        const before = defaultGenerator.state;
        nn.fromConfig(nn.toConfig(new nn.Sequential(new nn.Identity())));
        const config = {
            version: 1,
            dtype: 'float32',
            layers: [{ type: 'Linear', inFeatures: 3, outFeatures: 2, bias: true }],
        };
        nn.fromConfig(config);
        assert.deepEqual(defaultGenerator.state, before);
    });

    it('refuse what they do not know, naming the place', () => {
        const linear = { type: 'Linear', inFeatures: 3, outFeatures: 2, bias: true };
        const refused = (layers: unknown, message: RegExp): void => {
            assert.throws(
                () => nn.fromConfig({ version: 1, dtype: 'float32', layers }),
                (error) => {
                    assert.ok(error instanceof nn.ConfigError);
                    assert.match(error.message, message);
                    return true;
                },
            );
        };
        refused([linear, { type: 'Lineer' }], /layers\[1\]\.type: expected the name.*got "Lineer"/);
        refused([{ type: 'toString' }], /layers\[0\]\.type/);
        refused([{ ...linear, stride: 1 }], /layers\[0\]: unknown option 'stride'; it has inFeatures/);
        refused(
            [{ ...linear, inFeatures: -3 }],
            /layers\[0\]\.inFeatures: expected an integer from 1.*got -3/,
        );
        refused([{ ...linear, inFeatures: '3' }], /inFeatures: expected an integer.*got "3"/);
        refused([{ type: 'Linear', inFeatures: 3, bias: true }], /outFeatures: expected.*got nothing/);
        refused([{ type: 'Sequential', layers: [{ ...linear, bias: 1 }] }], /layers\[0\]\.layers\[0\]\.bias/);
        refused([{ type: 'Sequential', layers: [], name: 'x' }], /only 'type' and 'layers'/);
        refused([null], /layers\[0\]: expected a layer, got null/);
        refused('Linear', /layers: expected a list of layers/);
        refused(
            [{ type: 'GroupNorm', numGroups: 3, numChannels: 4, eps: 0.1, affine: true }],
            /3 groups do not/,
        );
        refused([{ type: 'Dropout', p: 2 }], /p must be in \[0, 1\]/);
        refused([{ type: 'GELU', approximate: 'erf' }], /approximate: expected one of none, tanh, got "erf"/);
        const shared = { type: 'Shared', layer: '0' };
        refused([shared], /layers\[0\]\.layer: expected the path of a layer before it, got "0"/);
        refused([{ type: 'Sequential', layers: [shared] }], /expected the path of a layer before it/);
        refused([linear, { ...shared, layer: '00' }], /path of a layer before it, got "00"/);
        refused([linear, { ...shared, layer: 0 }], /layers\[1\]\.layer: expected a text, got 0/);
        refused([linear, { ...shared, bias: true }], /only 'type' and 'layer'/);
        // Ten lists that each name the one before ten times would run 10^10 layers.
        const bomb: object[] = [linear];
        for (let i = 0; i < 10; i++)
            bomb.push({ type: 'Sequential', layers: Array(10).fill({ type: 'Shared', layer: String(i) }) });
        refused(bomb, /at most 10000 layers/);
        let nested: unknown = { type: 'Identity' };
        for (let i = 0; i < 100; i++) nested = { type: 'Sequential', layers: [nested] };
        refused([nested], /at most 32 lists/);
        assert.throws(
            () => nn.fromConfig({ version: 2, dtype: 'float32', layers: [] }),
            /version: expected 1, got 2/,
        );
        assert.throws(
            () => nn.fromConfig({ version: 1, dtype: 'int32', layers: [] }),
            /dtype: expected one of/,
        );
        assert.throws(() => nn.fromConfig([]), /the architecture: expected an object/);
        assert.throws(() => nn.fromConfig({ version: 1, dtype: 'float32', layers: [], x: 1 }), /got "x"/);
    });

    it('refuse layers that take more weights than allowed, before they are made', () => {
        const huge = { type: 'Linear', inFeatures: 1e9, outFeatures: 1e9, bias: true };
        assert.throws(
            () => nn.fromConfig({ version: 1, dtype: 'float32', layers: [huge] }, { maxElements: 1000 }),
            /take 1000000000000000000 weights, at most 1000/,
        );
    });

    it('refuse layers of other classes and mixed dtypes', () => {
        class Mine extends nn.ReLU {}
        assert.throws(
            () => nn.toConfig(new nn.Sequential(new nn.ReLU(), new nn.Sequential(new Mine()))),
            /Mine '1\.0' is no built-in layer/,
        );
        const mixed = new nn.Sequential(new nn.Linear(1, 1), new nn.Linear(1, 1, { dtype: 'float64' }));
        assert.throws(() => nn.toConfig(mixed), /several dtypes: float32, float64/);
    });
});
