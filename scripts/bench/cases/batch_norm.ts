import { ones, Tensor, zeros } from '../../../lib/index.js';
import { run } from '../../../lib/native/call.js';
import type { BenchContext, Benchmark, Subject } from '../benchmark.js';
import { callSubject, disposeAll, torchKernel, torchLayouts } from './calls.js';
import { randomImages, torchImages } from './images.js';

const BATCH = 128;
/** Momentum, epsilon, training, affine. */
const PARAMETERS = [0.1, 1e-5, 1, 1];

// x, dy [N, C, H, W] -> y, statistics; dx, dweight, dbias
function ours(channels: number, side: number, context: BenchContext): Subject {
    const [x, dy] = [randomImages(BATCH, channels, side), randomImages(BATCH, channels, side)];
    const [weight, bias] = [ones([channels]), zeros([channels])];
    const running = [zeros([channels]), ones([channels])];
    const vector = (): Tensor => new Tensor([channels], 'float32');
    return callSubject(context, () => {
        const [y, mean, inverse] = [new Tensor(x.shape, 'float32'), vector(), vector()];
        run('batch_norm', [x, weight, bias], [y, mean, inverse, ...running], PARAMETERS);
        const gradients = [new Tensor(x.shape, 'float32'), vector(), vector()];
        run('batch_norm_backward', [dy, x, mean, inverse, weight], gradients, PARAMETERS);
        disposeAll([y, mean, inverse, ...gradients]);
    });
}

function batchNormRow(channels: number, side: number): Benchmark {
    const shape = [BATCH, channels, side, side];
    return {
        group: 'norm',
        name: `batch_norm_f32_fwd_bwd_${shape.join('x')}`,
        unit: 'us/call',
        scale: 1e6,
        flops: null,
        // x -> y; x, dy -> dx.
        bytes: 5 * 4 * BATCH * channels * side * side,
        peers: torchLayouts((format) =>
            torchKernel(
                [
                    torchImages('x', shape, format),
                    torchImages('dy', shape, format),
                    `w, b = torch.ones(${channels}), torch.zeros(${channels})`,
                    `rm, rv = torch.zeros(${channels}), torch.ones(${channels})`,
                    'backward = torch.ops.aten.native_batch_norm_backward',
                ],
                [
                    'y, mean, inverse = torch.native_batch_norm(x, w, b, rm, rv, True, 0.1, 1e-5)',
                    'backward(dy, x, w, rm, rv, mean, inverse, True, 1e-5, [True, True, True])',
                ],
            ),
        ),
        ours: (context) => ours(channels, side, context),
    };
}

export const batchNorm: readonly Benchmark[] = [batchNormRow(32, 28), batchNormRow(64, 14)];
