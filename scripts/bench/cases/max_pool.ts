import { Tensor } from '../../../lib/index.js';
import { run } from '../../../lib/native/call.js';
import type { BenchContext, Benchmark, Subject } from '../benchmark.js';
import { callSubject, disposeAll, torchKernel, torchLayouts } from './calls.js';
import { randomImages, torchImages } from './images.js';

const BATCH = 128;
/** Kernel, stride, padding, dilation, as count and values each. */
const WINDOWS = [2, 2, 2, 2, 2, 2, 2, 0, 0, 2, 1, 1];

// x [N, C, H, W] -> y, position in its window [N, C, H / 2, W / 2]; dy -> dx
function ours(channels: number, side: number, context: BenchContext): Subject {
    const x = randomImages(BATCH, channels, side);
    const dy = randomImages(BATCH, channels, side / 2);
    return callSubject(context, () => {
        const [y, index] = [new Tensor(dy.shape, 'float32'), new Tensor(dy.shape, 'uint8')];
        run('max_pool2d', [x], [y, index], WINDOWS);
        const dx = new Tensor(x.shape, 'float32');
        run('max_pool2d_backward', [dy, index], [dx], WINDOWS);
        disposeAll([y, index, dx]);
    });
}

function maxPoolRow(channels: number, side: number): Benchmark {
    const shape = [BATCH, channels, side, side];
    return {
        group: 'norm',
        name: `max_pool_f32_fwd_bwd_${shape.join('x')}`,
        unit: 'us/call',
        scale: 1e6,
        flops: null,
        // x -> y; dy -> dx: two large arrays, two of a quarter, and at least a byte for each position, twice.
        bytes: (2 * 4 + 2 * 1 + 2 / 4) * BATCH * channels * side * side,
        peers: torchLayouts((format) =>
            torchKernel(
                [
                    torchImages('x', shape, format),
                    torchImages('dy', [BATCH, channels, side / 2, side / 2], format),
                    'forward = torch.ops.aten.max_pool2d_with_indices',
                    'backward = torch.ops.aten.max_pool2d_with_indices_backward',
                ],
                [
                    'y, index = forward(x, [2, 2], [2, 2])',
                    'backward(dy, x, [2, 2], [2, 2], [0, 0], [1, 1], False, index)',
                ],
            ),
        ),
        ours: (context) => ours(channels, side, context),
    };
}

export const maxPool: readonly Benchmark[] = [maxPoolRow(32, 28), maxPoolRow(64, 14)];
