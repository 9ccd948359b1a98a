import { denseFlops, trainFlops, type Benchmark, type PeerCalls } from '../benchmark.js';
import { modelsSubject } from '../cases/models.js';

const [MODELS, SIZES, BATCH] = [64, [784, 256, 128, 10], 64];

function torchModels(work: string): PeerCalls {
    return {
        framework: 'torch',
        setup: `from torch_gpu import InTurn, Stacked, wait\nwork = ${work}`,
        statement: 'work.step()',
        finish: 'work.finish()\nwait(DEVICE)',
    };
}

const list = `${MODELS}, [${SIZES.join(', ')}]`;
const row = {
    group: 'models',
    unit: 'us/step of all',
    scale: 1e6,
    turn: 64,
    flops:
        MODELS *
        trainFlops(
            BATCH,
            SIZES.slice(1).map((outputs, i) => denseFlops(SIZES[i], outputs)),
        ),
};

/** 64 trials of one search: as one program, and one after the other. */
export const models: readonly Benchmark[] = [
    {
        ...row,
        name: `gpu_models_f32_${MODELS}`,
        peers: {
            pytorch_in_turn: torchModels(`InTurn(${list}, fused=True, device=DEVICE)`),
            pytorch_vmap: torchModels(`Stacked(${list}, device=DEVICE)`),
        },
        ours: (context) => modelsSubject('together', MODELS, SIZES, context),
    },
    {
        ...row,
        name: `gpu_models_f32_${MODELS}_in_turn`,
        peers: {},
        ours: (context) => modelsSubject('in turn', MODELS, SIZES, context),
    },
];
