import { randn, Tensor } from '../../../lib/index.js';
import { run } from '../../../lib/native/call.js';
import { sizeOf } from '../../../lib/tensor/shape.js';
import type { BenchContext, Benchmark, Subject } from '../benchmark.js';
import { callSubject, disposeAll, torchKernel } from './calls.js';

// x [rows, columns] (or [N, C, ...], over C) -> y; dy, y -> dx
function ours(shape: readonly number[], log: boolean, context: BenchContext): Subject {
    const [x, dy] = [randn(shape), randn(shape)];
    const parameters = [1, Number(log)];
    return callSubject(context, () => {
        const [y, dx] = [new Tensor(shape, 'float32'), new Tensor(shape, 'float32')];
        run('softmax', [x], [y], parameters);
        run('softmax_backward', [dy, y], [dx], parameters);
        disposeAll([y, dx]);
    });
}

function softmaxRow(name: 'softmax' | 'log_softmax', ...shape: readonly number[]): Benchmark {
    const size = `[${shape.join(', ')}]`;
    return {
        group: 'norm',
        name: `${name}_f32_fwd_bwd_${shape.join('x')}`,
        unit: 'us/call',
        scale: 1e6,
        flops: null,
        // x -> y; dy, y -> dx.
        bytes: 5 * 4 * sizeOf(shape),
        peers: {
            pytorch: torchKernel(
                [
                    `x, dy = torch.randn(${size}), torch.randn(${size})`,
                    `forward = torch.ops.aten._${name}`,
                    `backward = torch.ops.aten._${name}_backward_data`,
                ],
                ['y = forward(x, 1, False)', 'backward(dy, y, 1, torch.float32)'],
            ),
        },
        ours: (context) => ours(shape, name === 'log_softmax', context),
    };
}

export const softmax: readonly Benchmark[] = [
    softmaxRow('softmax', 128, 1000),
    softmaxRow('softmax', 4096, 128),
    softmaxRow('softmax', 4096, 10),
    softmaxRow('softmax', 16, 21, 64, 64),
    softmaxRow('log_softmax', 128, 1000),
    softmaxRow('log_softmax', 4096, 128),
];
