import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { loadTensors, nn, noGrad, saveTensors, Tensor } from '../../lib/index.js';
import { layerSpecs } from '../../lib/nn/layer_specs/index.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

/** Layers as scripts/reference/make_torch_state_golden.py makes them in PyTorch. */
const cases: Record<string, nn.SequentialLayer> = {
    linear: new nn.Linear(4, 3),
    linear_no_bias: new nn.Linear(4, 3, { bias: false }),
    embedding: new nn.Embedding(5, 3, { paddingIndex: 1 }),
    conv1d: new nn.Conv1d(4, 6, 3, { stride: 2, padding: 1, groups: 2 }),
    conv2d: new nn.Conv2d(3, 4, [3, 2], { padding: [1, 0], dilation: 2 }),
    conv2d_groups: new nn.Conv2d(4, 8, 3, { groups: 4, bias: false }),
    conv_transpose2d: new nn.ConvTranspose2d(4, 6, 3, { stride: 2, padding: 1, outputPadding: 1, groups: 2 }),
    batch_norm1d: new nn.BatchNorm1d(3),
    batch_norm2d: new nn.BatchNorm2d(3, { eps: 1e-3, momentum: null }),
    batch_norm2d_plain: new nn.BatchNorm2d(3, { affine: false }),
    batch_norm2d_untracked: new nn.BatchNorm2d(3, { trackRunningStats: false }),
    layer_norm: new nn.LayerNorm([3, 4]),
    layer_norm_no_bias: new nn.LayerNorm(4, { bias: false }),
    group_norm: new nn.GroupNorm(2, 4),
    nested: new nn.Sequential(
        new nn.Conv2d(1, 4, 3),
        new nn.Sequential(new nn.BatchNorm2d(4), new nn.ReLU(), new nn.MaxPool2d(2)),
        new nn.Flatten(),
        new nn.Dropout(0.5),
        new nn.Linear(36, 3),
    ),
    lstm: new nn.LSTM(3, 4, { numLayers: 2, bidirectional: true }),
    gru: new nn.GRU(3, 4, { bias: false, batchFirst: true }),
    attention: new nn.MultiheadAttention(6, 2),
    attention_widths: new nn.MultiheadAttention(4, 2, { kdim: 3, vdim: 2 }),
};

/** The output of a layer, the first of several; attention looks at its queries. */
function run(layer: nn.SequentialLayer, x: Tensor): Tensor {
    if (layer instanceof nn.MultiheadAttention)
        return layer.forward(x, x.slice(-1, 0, layer.kdim), x.slice(-1, 0, layer.vdim))[0];
    const output = layer.forward(x);
    return output instanceof Tensor ? output : output[0];
}

/** Layers that `stateDict()` holds nothing of. */
const stateless = [
    ...[
        'Flatten',
        'Dropout',
        'Identity',
        'ReLU',
        'SiLU',
        'Sigmoid',
        'Tanh',
        'LeakyReLU',
        'ELU',
        'GELU',
        'Softplus',
    ],
    ...['Softmax', 'LogSoftmax', 'MaxPool2d', 'AvgPool2d', 'AdaptiveAvgPool2d'],
];
const golden = resolve(import.meta.dirname, '..', 'golden', 'torch_state');

describe("layers' state and PyTorch's state_dict", () => {
    const folder = useTemporaryFolder();

    it('name every layer', () => {
        const types = Object.values(cases).map((layer) => layer.constructor.name);
        const named = new Set([...types.filter((type) => type !== 'Sequential'), ...stateless]);
        assert.deepEqual([...named].sort(), [...layerSpecs.keys()].sort());
    });

    for (const [name, layer] of Object.entries(cases)) {
        it(`${name}: PyTorch's weights give its outputs, and saved again the same file byte for byte`, async () => {
            const path = join(golden, `${name}.safetensors`);
            const { tensors } = await loadTensors(path);
            const described = (state: ReadonlyMap<string, { dtype: string; shape: readonly number[] }>) =>
                [...state].map(([key, { dtype, shape }]) => `${key} ${dtype} [${shape.join(', ')}]`).sort();
            assert.deepEqual(described(layer.stateDict()), described(tensors));
            layer.loadStateDict(tensors);
            const { tensors: values } = await loadTensors(join(golden, 'values.safetensors'));
            const expected = values.get(`${name}.output`)!;
            const output = noGrad(() => run(layer.eval(), values.get(`${name}.input`)!));
            assert.deepEqual(output.shape, expected.shape);
            const away = output.sub(expected).abs().div(expected.abs().add(1)).max().item();
            assert.ok(away < 1e-5, `away by ${away}`);
            await saveTensors(join(folder(), 'ours.safetensors'), layer.stateDict(), { format: 'pt' });
            assert.deepEqual(readFileSync(join(folder(), 'ours.safetensors')), readFileSync(path));
        });
    }
});
