import type { nn } from '../../../lib/index.js';
import { trainFlops, type Benchmark, type PeerCalls } from '../benchmark.js';
import { buildCnn, CNN_LAYERS } from '../cases/cnn.js';
import { buildMlp, MLP_LAYERS } from '../cases/mlp.js';
import { trainingSubject, type Precision } from '../cases/training.js';
import type { Sizes } from './sizes.js';

interface Network {
    readonly name: 'mlp' | 'cnn';
    readonly build: () => nn.Layer;
    readonly layers: readonly number[];
    readonly turn: number;
}

const MLP: Network = { name: 'mlp', build: buildMlp, layers: MLP_LAYERS, turn: 900 };
const CNN: Network = { name: 'cnn', build: buildCnn, layers: CNN_LAYERS, turn: 117 };
const SAMPLES = 60_000;

/** PyTorch's steps; `mode` as in peer/torch_gpu.py. */
function torchTraining(network: string, batch: number, precision: Precision, mode: string): PeerCalls {
    return {
        framework: 'torch',
        setup:
            'from torch_gpu import Training\n' +
            `work = Training('${network}', DATA, ${batch}, '${precision}', '${mode}', DEVICE)`,
        statement: 'work.step()',
        finish: 'work.finish()',
        ...(mode === 'compile' ? { compiles: true } : {}),
    };
}

function trainingRow({ name, build, layers, turn }: Network, batch: number, precision: Precision): Benchmark {
    return {
        group: name,
        name: `gpu_${name}_${precision}_b${batch}`,
        unit: 'us/step',
        scale: 1e6,
        turn,
        flops: trainFlops(batch, layers),
        epoch: Math.floor(SAMPLES / batch),
        needs: 'mnist',
        peers: {
            pytorch: torchTraining(name, batch, precision, 'eager'),
            pytorch_compile: torchTraining(name, batch, precision, 'compile'),
            pytorch_graph: torchTraining(name, batch, precision, 'graph'),
        },
        ours: (context) => trainingSubject(build(), context, { execution: 'captured', batch, precision }),
    };
}

const PRECISIONS = ['f32', 'f16', 'bf16'] as const;

/** Whole steps of the two networks: gather, forward, loss, backward, Adam. */
export const trainingRows = ({ mlpBatches, cnnBatch }: Sizes): readonly Benchmark[] => [
    ...mlpBatches.flatMap((batch) => PRECISIONS.map((precision) => trainingRow(MLP, batch, precision))),
    ...PRECISIONS.map((precision) => trainingRow(CNN, cnnBatch, precision)),
];
