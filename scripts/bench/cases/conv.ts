import { conv2d, noGrad, randn, Tensor } from '../../../lib/index.js';
import { run } from '../../../lib/native/call.js';
import { convFlops, type BenchContext, type Benchmark, type Subject } from '../benchmark.js';
import { callSubject, torchKernel, torchLayouts } from './calls.js';
import { randomImages, torchImages } from './images.js';

const BATCH = 128;

type Direction = 'fwd' | 'bwd_data' | 'bwd_weight';

interface Layer {
    readonly inputs: number;
    readonly outputs: number;
    readonly side: number;
    /** 3 if left out. */
    readonly kernel?: number;
    /** One group to a channel. */
    readonly depthwise?: true;
}

const groupsOf = ({ inputs, depthwise }: Layer): number => (depthwise ? inputs : 1);

/** Stride, padding, dilation (lists as count and values) and groups of a convolution that keeps the size. */
function geometry(layer: Layer): number[] {
    const padding = ((layer.kernel ?? 3) - 1) / 2;
    return [2, 1, 1, 4, padding, padding, padding, padding, 2, 1, 1, groupsOf(layer)];
}

const weightShape = (layer: Layer): number[] => {
    const { inputs, outputs, kernel = 3 } = layer;
    return [outputs, inputs / groupsOf(layer), kernel, kernel];
};

// x [N, C, H, W], w [O, C / groups, kH, kW] -> y [N, O, H, W]; dy, w -> dx; x, dy -> dw
function ours(direction: Direction, layer: Layer, context: BenchContext): Subject {
    const { inputs, outputs, side, kernel = 3 } = layer;
    const parameters = geometry(layer);
    const x = randomImages(BATCH, inputs, side);
    const dy = randomImages(BATCH, outputs, side);
    const w = randn(weightShape(layer));
    const calls: Record<Direction, () => Tensor> = {
        fwd: () => noGrad(() => conv2d(x, w, null, { padding: (kernel - 1) / 2, groups: groupsOf(layer) })),
        bwd_data: () => {
            const dx = new Tensor(x.shape, 'float32');
            run('conv2d_backward_input', [dy, w], [dx], parameters);
            return dx;
        },
        bwd_weight: () => {
            const dw = new Tensor(w.shape, 'float32');
            run('conv2d_backward_weight', [x, dy], [dw], parameters);
            return dw;
        },
    };
    const call = calls[direction];
    return callSubject(context, () => call().dispose());
}

/** The statement of each direction in PyTorch. */
function statements(layer: Layer): Readonly<Record<Direction, string>> {
    const padding = ((layer.kernel ?? 3) - 1) / 2;
    const groups = groupsOf(layer);
    const backward = (mask: string): string =>
        'torch.ops.aten.convolution_backward(' +
        `dy, x, w, None, [1, 1], [${padding}, ${padding}], [1, 1], False, [0, 0], ${groups}, [${mask}])`;
    return {
        fwd: `torch.conv2d(x, w, None, 1, ${padding}, 1, ${groups})`,
        bwd_data: backward('True, False, False'),
        bwd_weight: backward('False, True, False'),
    };
}

/** What stands in a row's name: 3x3 goes without saying. */
function label(layer: Layer): string {
    const { inputs, outputs, side, kernel = 3 } = layer;
    const kind = (layer.depthwise ? 'depthwise_' : '') + (kernel === 3 ? '' : `${kernel}x${kernel}_`);
    return `${kind}${inputs}x${outputs}_${side}x${side}_b${BATCH}`;
}

function convolution(direction: Direction, layer: Layer): Benchmark {
    const { inputs, outputs, side, kernel = 3 } = layer;
    return {
        group: 'conv',
        name: `conv_f32_${direction}_${label(layer)}`,
        unit: 'us/call',
        scale: 1e6,
        flops: BATCH * convFlops(inputs / groupsOf(layer), outputs, kernel, side * side),
        peers: torchLayouts((format) =>
            torchKernel(
                [
                    torchImages('x', [BATCH, inputs, side, side], format),
                    torchImages('dy', [BATCH, outputs, side, side], format),
                    torchImages('w', weightShape(layer), format),
                ],
                statements(layer)[direction],
            ),
        ),
        ours: (context) => ours(direction, layer, context),
    };
}

const DIRECTIONS = ['fwd', 'bwd_data', 'bwd_weight'] as const;
const LAYERS: readonly Layer[] = [
    { inputs: 32, outputs: 64, side: 14 },
    { inputs: 1, outputs: 32, side: 28 },
    { inputs: 64, outputs: 64, side: 28, depthwise: true },
    { inputs: 64, outputs: 128, side: 14, kernel: 1 },
];

export const conv: readonly Benchmark[] = LAYERS.flatMap((layer) =>
    DIRECTIONS.map((direction) => convolution(direction, layer)),
);
