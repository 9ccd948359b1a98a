import { nn } from '../../../lib/index.js';
import { convFlops, denseFlops, trainFlops, type Benchmark } from '../benchmark.js';
import { jaxTraining, torchTraining, trainingSubject, type Execution } from './training.js';

const BATCH = 128;
export const CNN_LAYERS = [
    convFlops(1, 32, 3, 28 * 28),
    convFlops(32, 64, 3, 14 * 14),
    denseFlops(3136, 128),
    denseFlops(128, 10),
];

export const buildCnn = (): nn.Sequential =>
    new nn.Sequential(
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

const cnnRow = (name: string, execution: Execution): Benchmark => ({
    group: 'cnn',
    name,
    unit: 'ms/step',
    scale: 1000,
    turn: 6,
    flops: trainFlops(BATCH, CNN_LAYERS),
    epoch: 469,
    needs: 'mnist',
    peers: {
        pytorch: torchTraining('cnn'),
        pytorch_channels_last: torchTraining('cnn', 'channels_last=True'),
        pytorch_channels_last_fused: torchTraining('cnn', 'channels_last=True, fused=True'),
        pytorch_compile: torchTraining('cnn', 'channels_last=True, fused=True, compiled=True', true),
        jax_jit: jaxTraining('cnn'),
    },
    ours: (context) => trainingSubject(buildCnn(), context, { execution, batch: BATCH }),
});

const bf16Row: Benchmark = {
    ...cnnRow(`cnn_bf16_b${BATCH}`, 'captured'),
    peers: {
        pytorch: torchTraining('cnn', 'bf16=True'),
        pytorch_channels_last: torchTraining('cnn', 'bf16=True, channels_last=True'),
        pytorch_channels_last_fused: torchTraining('cnn', 'bf16=True, channels_last=True, fused=True'),
        pytorch_compile: torchTraining(
            'cnn',
            'bf16=True, channels_last=True, fused=True, compiled=True',
            true,
        ),
    },
    ours: (context) =>
        trainingSubject(buildCnn(), context, { execution: 'captured', batch: BATCH, precision: 'bf16' }),
};

export const cnn: readonly Benchmark[] = [
    cnnRow(`cnn_f32_b${BATCH}`, 'captured'),
    bf16Row,
    cnnRow(`cnn_f32_b${BATCH}_eager`, 'eager'),
];
