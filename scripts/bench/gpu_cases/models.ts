import { denseFlops, trainFlops, type Benchmark, type PeerCalls } from '../benchmark.js';
import { modelsSubject } from '../cases/models.js';
import type { Sizes } from './sizes.js';

const BATCH = 64;

/** How PyTorch's steps of several models run: as in peer/torch_gpu.py. */
const MODES = ['eager', 'compile', 'graph'] as const;

/** PyTorch's steps of all models; `kind` as in peer/torch_models.py. */
function torchModels(kind: string, { models, modelSizes }: Sizes, mode: string): PeerCalls {
    return {
        framework: 'torch',
        setup:
            'from torch_gpu import InTurn, Models, Stacked\n' +
            `work = Models(${kind}, ${models}, [${modelSizes.join(', ')}], '${mode}', DEVICE)`,
        statement: 'work.step()',
        finish: 'work.finish()',
        ...(mode === 'compile' ? { compiles: true } : {}),
    };
}

/** Peers by their keys: `pytorch_vmap` op by op, `pytorch_vmap_compile`, `pytorch_vmap_graph`, and so on. */
function torchPeers(sizes: Sizes): Record<string, PeerCalls> {
    const kinds = { pytorch_in_turn: 'InTurn', pytorch_vmap: 'Stacked' };
    return Object.fromEntries(
        Object.entries(kinds).flatMap(([key, kind]) =>
            MODES.map((mode) => [mode === 'eager' ? key : `${key}_${mode}`, torchModels(kind, sizes, mode)]),
        ),
    );
}

/** Trials of one search as one program; beside it, one after the other as captured steps, and PyTorch in all its ways. */
export function modelsRows(sizes: Sizes): readonly Benchmark[] {
    const { models, modelSizes } = sizes;
    const layers = modelSizes.slice(1).map((outputs, i) => denseFlops(modelSizes[i], outputs));
    return [
        {
            group: 'models',
            name: `gpu_models_f32_${models}`,
            unit: 'us/step of all',
            scale: 1e6,
            turn: 64,
            flops: models * trainFlops(BATCH, layers),
            peers: torchPeers(sizes),
            variants: {
                nativegrad_in_turn: (context) => modelsSubject('in turn', models, modelSizes, context),
            },
            ours: (context) => modelsSubject('together', models, modelSizes, context),
        },
    ];
}
