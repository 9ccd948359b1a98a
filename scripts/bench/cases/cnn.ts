import { nn } from '../../../lib/index.js';
import { convFlops, denseFlops, trainFlops, type Benchmark } from '../benchmark.js';
import { trainingSubject } from './training.js';

const BATCH = 128;
const LAYERS = [
    convFlops(1, 32, 3, 28 * 28),
    convFlops(32, 64, 3, 14 * 14),
    denseFlops(3136, 128),
    denseFlops(128, 10),
];

function buildCnn(): nn.Sequential {
    return new nn.Sequential(
        new nn.Conv2d(1, 32, 3, { padding: 1 }),
        new nn.BatchNorm2d(32),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Conv2d(32, 64, 3, { padding: 1 }),
        new nn.BatchNorm2d(64),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Flatten(),
        new nn.Linear(3136, 128),
        new nn.ReLU(),
        new nn.Linear(128, 10),
    );
}

export const cnn: Benchmark = {
    key: 'cnn',
    name: 'cnn_f32_b128',
    unit: 'ms/step',
    scale: 1000,
    turn: 6,
    flops: trainFlops(BATCH, LAYERS),
    epoch: 469,
    variants: {
        pytorch: 'eager',
        pytorch_channels_last: 'channels_last',
        pytorch_channels_last_fused: 'channels_last_fused',
        pytorch_compile: 'compile',
    },
    ours: (context) => trainingSubject(buildCnn(), context, { batch: BATCH, input: (x) => x }),
};
