import { nn } from '../../../lib/index.js';
import { denseFlops, trainFlops, type Benchmark } from '../benchmark.js';
import { flatImages, trainingSubject } from './training.js';

const BATCH = 64;
const LAYERS = [denseFlops(784, 256), denseFlops(256, 128), denseFlops(128, 10)];

export const mlp: Benchmark = {
    key: 'mlp',
    name: 'mlp_f32_b64',
    unit: 'ms/step',
    scale: 1000,
    turn: 200,
    flops: trainFlops(BATCH, LAYERS),
    epoch: 938,
    variants: { pytorch: 'eager', pytorch_fused: 'fused', pytorch_compile: 'compile' },
    ours: (context) => {
        const model = new nn.Sequential(
            new nn.Linear(784, 256),
            new nn.ReLU(),
            new nn.Linear(256, 128),
            new nn.ReLU(),
            new nn.Linear(128, 10),
        );
        return trainingSubject(model, context, { batch: BATCH, input: flatImages });
    },
};
