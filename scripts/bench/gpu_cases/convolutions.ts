import { randn, zeros, type DType, type Tensor } from '../../../lib/index.js';
import { run } from '../../../lib/native/call.js';
import { convFlops, type BenchContext, type Benchmark, type Subject } from '../benchmark.js';
import type { Precision } from '../cases/training.js';
import { DTYPES, repeatedSubject, torchRepeated } from './repeated.js';
import type { ConvolutionSize, Sizes } from './sizes.js';

/** A convolution, how many images it gets, and how often it runs. */
interface Layer extends ConvolutionSize {
    readonly batch: number;
    readonly times: number;
}
type Direction = 'fwd' | 'bwd_data' | 'bwd_weight';

/** Stride, padding, dilation (lists as count and values) and groups of a 3x3 convolution that keeps the size. */
const geometry = [2, 1, 1, 4, 1, 1, 1, 1, 2, 1, 1, 1];

// x [N, C, H, W], w [O, C, 3, 3] -> y [N, O, H, W]; dy, w -> dx; x, dy -> dw, all channels last
function ours(direction: Direction, layer: Layer, dtype: DType, context: BenchContext): Subject {
    const { inputs, outputs, side, batch, times } = layer;
    const { device = 'cpu' } = context;
    const images = (n: number, channels: number, height = side): Tensor =>
        randn([n, height, height, channels], { device }).to(dtype).permute([0, 3, 1, 2]);
    const make: Record<Direction, () => Tensor> = {
        fwd: () => images(batch, outputs),
        bwd_data: () => images(batch, inputs),
        bwd_weight: () => zeros([outputs, inputs, 3, 3], { dtype, device }),
    };
    const [x, dy, w] = [images(batch, inputs), images(batch, outputs), images(outputs, inputs, 3)];
    const outs = Array.from({ length: times }, make[direction]);
    const calls: Record<Direction, (out: Tensor) => void> = {
        fwd: (out) => run('conv2d', [x, w], [out], geometry),
        bwd_data: (out) => run('conv2d_backward_input', [dy, w], [out], geometry),
        bwd_weight: (out) => run('conv2d_backward_weight', [x, dy], [out], geometry),
    };
    return repeatedSubject(context, times, (i) => calls[direction](outs[i]));
}

function convolutionRow(direction: Direction, layer: Layer, precision: Precision): Benchmark {
    const { inputs, outputs, side, batch, times } = layer;
    const words = `'${direction}', ${batch}, ${inputs}, ${outputs}, ${side}, '${precision}', ${times}, DEVICE`;
    return {
        group: 'conv',
        name: `gpu_conv_${precision}_${direction}_${inputs}x${outputs}_${side}x${side}_b${batch}`,
        unit: `us/${times} calls`,
        scale: 1e6,
        flops: times * batch * convFlops(inputs, outputs, 3, side * side),
        peers: { cudnn: torchRepeated(`convolution(${words})`) },
        ours: (context) => ours(direction, layer, DTYPES[precision], context),
    };
}

const DIRECTIONS = ['fwd', 'bwd_data', 'bwd_weight'] as const;

/** Convolutions against cuDNN in its best layout. */
export function convolutionRows(sizes: Sizes): readonly Benchmark[] {
    const layers = sizes.convolutions.map((size) => ({
        ...size,
        batch: sizes.convolutionBatch,
        times: sizes.repeated,
    }));
    return (['f16', 'bf16', 'f32'] as const).flatMap((precision) =>
        layers.flatMap((layer) => DIRECTIONS.map((direction) => convolutionRow(direction, layer, precision))),
    );
}
