import { randn, Tensor } from '../../../lib/index.js';
import { run } from '../../../lib/native/call.js';
import type { BenchContext, Benchmark, Subject } from '../benchmark.js';
import { callSubject, disposeAll, torchKernel } from './calls.js';

/** Axis, and whether the logarithm is wanted. */
const PARAMETERS = [1, 0];

// x [rows, columns] -> y; dy, y -> dx
function ours(rows: number, columns: number, context: BenchContext): Subject {
    const [x, dy] = [randn([rows, columns]), randn([rows, columns])];
    return callSubject(context, () => {
        const [y, dx] = [new Tensor(x.shape, 'float32'), new Tensor(x.shape, 'float32')];
        run('softmax', [x], [y], PARAMETERS);
        run('softmax_backward', [dy, y], [dx], PARAMETERS);
        disposeAll([y, dx]);
    });
}

function softmaxRow(rows: number, columns: number): Benchmark {
    return {
        group: 'norm',
        name: `softmax_f32_fwd_bwd_${rows}x${columns}`,
        unit: 'us/call',
        scale: 1e6,
        flops: null,
        // x -> y; dy, y -> dx.
        bytes: 5 * 4 * rows * columns,
        peers: {
            pytorch: torchKernel(
                [
                    `x, dy = torch.randn(${rows}, ${columns}), torch.randn(${rows}, ${columns})`,
                    'forward = torch.ops.aten._softmax',
                    'backward = torch.ops.aten._softmax_backward_data',
                ],
                ['y = forward(x, 1, False)', 'backward(dy, y, 1, torch.float32)'],
            ),
        },
        ours: (context) => ours(rows, columns, context),
    };
}

export const softmax: readonly Benchmark[] = [softmaxRow(128, 1000), softmaxRow(4096, 128)];
