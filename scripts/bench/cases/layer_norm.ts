import { grad, layerNorm as normalize, ones, randn, zeros } from '../../../lib/index.js';
import type { BenchContext, Benchmark, Subject } from '../benchmark.js';
import { callSubject, disposeAll, torchKernel } from './calls.js';

// x, dy [rows, columns] -> y; dx, dweight, dbias; a composition of ours, so it runs through the tape
function ours(rows: number, columns: number, context: BenchContext): Subject {
    const x = randn([rows, columns], { requiresGrad: true });
    const weight = ones([columns], { requiresGrad: true });
    const bias = zeros([columns], { requiresGrad: true });
    const dy = randn([rows, columns]);
    return callSubject(context, () => {
        const y = normalize(x, columns, weight, bias);
        disposeAll([...grad([y], [x, weight, bias], { gradients: [dy] }), y]);
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
