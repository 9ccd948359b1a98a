import { randn, zeros, type DType, type Tensor } from '../../../lib/index.js';
import { run } from '../../../lib/native/call.js';
import { convFlops, type BenchContext, type Benchmark, type Subject } from '../benchmark.js';
import type { Precision } from '../cases/training.js';
import { DTYPES, REPEATED, repeatedSubject, torchRepeated } from './repeated.js';

const BATCH = 512;

interface Layer {
    readonly inputs: number;
    readonly outputs: number;
    readonly side: number;
}
type Direction = 'fwd' | 'bwd_data' | 'bwd_weight';

/** Stride, padding, dilation (lists as count and values) and groups of a 3x3 convolution that keeps the size. */
const geometry = [2, 1, 1, 4, 1, 1, 1, 1, 2, 1, 1, 1];

// x [N, C, H, W], w [O, C, 3, 3] -> y [N, O, H, W]; dy, w -> dx; x, dy -> dw, all channels last
function ours(direction: Direction, layer: Layer, dtype: DType, context: BenchContext): Subject {
    const { inputs, outputs, side } = layer;
    const { device = 'cpu' } = context;
    const images = (n: number, channels: number, height = side): Tensor =>
        randn([n, height, height, channels], { device }).to(dtype).permute([0, 3, 1, 2]);
    const make: Record<Direction, () => Tensor> = {
        fwd: () => images(BATCH, outputs),
        bwd_data: () => images(BATCH, inputs),
        bwd_weight: () => zeros([outputs, inputs, 3, 3], { dtype, device }),
    };
    const [x, dy, w] = [images(BATCH, inputs), images(BATCH, outputs), images(outputs, inputs, 3)];
    const outs = Array.from({ length: REPEATED }, make[direction]);
    const calls: Record<Direction, (out: Tensor) => void> = {
        fwd: (out) => run('conv2d', [x, w], [out], geometry),
        bwd_data: (out) => run('conv2d_backward_input', [dy, w], [out], geometry),
        bwd_weight: (out) => run('conv2d_backward_weight', [x, dy], [out], geometry),
    };
    return repeatedSubject(context, REPEATED, (i) => calls[direction](outs[i]));
}

function convolutionRow(direction: Direction, layer: Layer, precision: Precision): Benchmark {
    const { inputs, outputs, side } = layer;
    const words = `'${direction}', ${BATCH}, ${inputs}, ${outputs}, ${side}, '${precision}', ${REPEATED}, DEVICE`;
    return {
        group: 'conv',
        name: `gpu_conv_${precision}_${direction}_${inputs}x${outputs}_${side}x${side}_b${BATCH}`,
        unit: `us/${REPEATED} calls`,
        scale: 1e6,
        flops: REPEATED * BATCH * convFlops(inputs, outputs, 3, side * side),
        peers: { cudnn: torchRepeated(`convolution(${words})`) },
        ours: (context) => ours(direction, layer, DTYPES[precision], context),
    };
}

const DIRECTIONS = ['fwd', 'bwd_data', 'bwd_weight'] as const;
const LAYERS: readonly Layer[] = [
    { inputs: 32, outputs: 64, side: 14 },
    { inputs: 64, outputs: 128, side: 14 },
    { inputs: 1, outputs: 32, side: 28 },
];

/** Convolutions against cuDNN in its best layout. */
export const convolutions: readonly Benchmark[] = (['f16', 'bf16', 'f32'] as const).flatMap((precision) =>
    LAYERS.flatMap((layer) => DIRECTIONS.map((direction) => convolutionRow(direction, layer, precision))),
);
