import { conv2d, noGrad, randn, Tensor } from '../../../lib/index.js';
import { run } from '../../../lib/native/call.js';
import { convFlops, type BenchContext, type Benchmark, type Subject } from '../benchmark.js';
import { callSubject, torchKernel, torchLayouts } from './calls.js';
import { randomImages, torchImages } from './images.js';

const BATCH = 128;
/** Stride, padding, dilation (lists as count and values) and groups of a 3x3 convolution that keeps the size. */
const SAME = [2, 1, 1, 4, 1, 1, 1, 1, 2, 1, 1, 1];

type Direction = 'fwd' | 'bwd_data' | 'bwd_weight';

interface Layer {
    readonly inputs: number;
    readonly outputs: number;
    readonly side: number;
}

// x [N, C, H, W], w [O, C, 3, 3] -> y [N, O, H, W]; dy, w -> dx; x, dy -> dw
function ours(direction: Direction, { inputs, outputs, side }: Layer, context: BenchContext): Subject {
    const x = randomImages(BATCH, inputs, side);
    const dy = randomImages(BATCH, outputs, side);
    const w = randn([outputs, inputs, 3, 3]);
    const calls: Record<Direction, () => Tensor> = {
        fwd: () => noGrad(() => conv2d(x, w, null, { padding: 1 })),
        bwd_data: () => {
            const dx = new Tensor(x.shape, 'float32');
            run('conv2d_backward_input', [dy, w], [dx], SAME);
            return dx;
        },
        bwd_weight: () => {
            const dw = new Tensor(w.shape, 'float32');
            run('conv2d_backward_weight', [x, dy], [dw], SAME);
            return dw;
        },
    };
    const call = calls[direction];
    return callSubject(context, () => call().dispose());
}

const backward = (mask: string): string =>
    'torch.ops.aten.convolution_backward(' +
    `dy, x, w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [${mask}])`;

const STATEMENTS: Readonly<Record<Direction, string>> = {
    fwd: 'torch.conv2d(x, w, None, 1, 1)',
    bwd_data: backward('True, False, False'),
    bwd_weight: backward('False, True, False'),
};

function convolution(direction: Direction, layer: Layer): Benchmark {
    const { inputs, outputs, side } = layer;
    return {
        group: 'conv',
        name: `conv_f32_${direction}_${inputs}x${outputs}_${side}x${side}_b${BATCH}`,
        unit: 'us/call',
        scale: 1e6,
        flops: BATCH * convFlops(inputs, outputs, 3, side * side),
        peers: torchLayouts((format) =>
            torchKernel(
                [
                    torchImages('x', [BATCH, inputs, side, side], format),
                    torchImages('dy', [BATCH, outputs, side, side], format),
                    torchImages('w', [outputs, inputs, 3, 3], format),
                ],
                STATEMENTS[direction],
            ),
        ),
        ours: (context) => ours(direction, layer, context),
    };
}

const DIRECTIONS = ['fwd', 'bwd_data', 'bwd_weight'] as const;
const LAYERS: readonly Layer[] = [
    { inputs: 32, outputs: 64, side: 14 },
    { inputs: 1, outputs: 32, side: 28 },
];

export const conv: readonly Benchmark[] = LAYERS.flatMap((layer) =>
    DIRECTIONS.map((direction) => convolution(direction, layer)),
);
