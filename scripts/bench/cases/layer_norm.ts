import { ones, randn, Tensor, zeros } from '../../../lib/index.js';
import { run } from '../../../lib/native/call.js';
import type { BenchContext, Benchmark, Subject } from '../benchmark.js';
import { callSubject, disposeAll, torchKernel } from './calls.js';

// x, dy [rows, columns] -> y, mean, 1 / standard deviation; dx, dweight, dbias
function ours(rows: number, columns: number, context: BenchContext): Subject {
    const [x, dy] = [randn([rows, columns]), randn([rows, columns])];
    const [weight, bias] = [ones([columns]), zeros([columns])];
    const make = (...shape: number[]): Tensor => new Tensor(shape, 'float32');
    return callSubject(context, () => {
        const [y, mean, inverse] = [make(rows, columns), make(rows), make(rows)];
        run('layer_norm', [x, weight, bias], [y, mean, inverse], [1, 1e-5]);
        const gradients = [make(rows, columns), make(columns), make(columns)];
        run('layer_norm_backward', [dy, x, mean, inverse, weight], gradients, [1]);
        disposeAll([y, mean, inverse, ...gradients]);
    });
}

function layerNormRow(rows: number, columns: number): Benchmark {
    return {
        group: 'norm',
        name: `layer_norm_f32_fwd_bwd_${rows}x${columns}`,
        unit: 'us/call',
        scale: 1e6,
        flops: null,
        // x -> y; x, dy -> dx.
        bytes: 5 * 4 * rows * columns,
        peers: {
            pytorch: torchKernel(
                [
                    `x, dy = torch.randn(${rows}, ${columns}), torch.randn(${rows}, ${columns})`,
                    `w, b, shape = torch.ones(${columns}), torch.zeros(${columns}), [${columns}]`,
                    'backward = torch.ops.aten.native_layer_norm_backward',
                ],
                [
                    'y, mean, inverse = torch.native_layer_norm(x, shape, w, b, 1e-5)',
                    'backward(dy, x, shape, mean, inverse, w, b, [True, True, True])',
                ],
            ),
        },
        ours: (context) => ours(rows, columns, context),
    };
}

export const layerNorm: readonly Benchmark[] = [layerNormRow(128, 1000), layerNormRow(4096, 128)];
