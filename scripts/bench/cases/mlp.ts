import { nn } from '../../../lib/index.js';
import { denseFlops, trainFlops, type Benchmark } from '../benchmark.js';
import { jaxTraining, torchTraining, trainingSubject, type Execution } from './training.js';

const BATCH = 64;
export const MLP_LAYERS = [denseFlops(784, 256), denseFlops(256, 128), denseFlops(128, 10)];

export const buildMlp = (): nn.Sequential =>
    new nn.Sequential(
        new nn.Flatten(),
        new nn.Linear(784, 256),
        new nn.ReLU(),
        new nn.Linear(256, 128),
        new nn.ReLU(),
        new nn.Linear(128, 10),
    );

const mlpRow = (name: string, execution: Execution): Benchmark => ({
    group: 'mlp',
    name,
    unit: 'ms/step',
    scale: 1000,
    turn: 200,
    flops: trainFlops(BATCH, MLP_LAYERS),
    epoch: 938,
    needs: 'mnist',
    peers: {
        pytorch: torchTraining('mlp'),
        pytorch_fused: torchTraining('mlp', 'fused=True'),
        pytorch_compile: torchTraining('mlp', 'fused=True, compiled=True', true),
        jax_jit: jaxTraining('mlp'),
        tfjs_wasm: { framework: 'tfjs', setup: String(BATCH), statement: 'step' },
    },
    ours: (context) => trainingSubject(buildMlp(), context, { execution, batch: BATCH }),
});

const bf16Row: Benchmark = {
    ...mlpRow(`mlp_bf16_b${BATCH}`, 'captured'),
    peers: {
        pytorch: torchTraining('mlp', 'bf16=True'),
        pytorch_fused: torchTraining('mlp', 'bf16=True, fused=True'),
        pytorch_compile: torchTraining('mlp', 'bf16=True, fused=True, compiled=True', true),
    },
    ours: (context) =>
        trainingSubject(buildMlp(), context, { execution: 'captured', batch: BATCH, precision: 'bf16' }),
};

export const mlp: readonly Benchmark[] = [
    mlpRow(`mlp_f32_b${BATCH}`, 'captured'),
    bf16Row,
    mlpRow(`mlp_f32_b${BATCH}_eager`, 'eager'),
];
