import { randn, Tensor } from '../../../lib/index.js';
import { binaryCode, run } from '../../../lib/native/call.js';
import type { Benchmark } from '../benchmark.js';
import { callSubject, disposeAll, torchKernel } from './calls.js';

// x [rows, columns] -> sums [columns]
function sumRow(rows: number, columns: number): Benchmark {
    return {
        group: 'norm',
        name: `sum_axis0_f32_${rows}x${columns}`,
        unit: 'us/call',
        scale: 1e6,
        flops: null,
        bytes: 4 * rows * columns,
        peers: { pytorch: torchKernel([`x = torch.randn(${rows}, ${columns})`], 'x.sum(0)') },
        ours: (context) => {
            const x = randn([rows, columns]);
            return callSubject(context, () => {
                const y = new Tensor([columns], 'float32');
                run('reduce', [x], [y], [0, 0, 1, 0]);
                disposeAll([y]);
            });
        },
    };
}

// x [rows, columns], b [columns] -> x + b
function biasRow(rows: number, columns: number): Benchmark {
    return {
        group: 'norm',
        name: `add_bias_f32_${rows}x${columns}`,
        unit: 'us/call',
        scale: 1e6,
        flops: null,
        bytes: 2 * 4 * rows * columns,
        peers: {
            pytorch: torchKernel(
                [`x, b = torch.randn(${rows}, ${columns}), torch.randn(${columns})`],
                'torch.add(x, b)',
            ),
        },
        ours: (context) => {
            const [x, b] = [randn([rows, columns]), randn([columns])];
            return callSubject(context, () => {
                const y = new Tensor(x.shape, 'float32');
                run('binary', [x, b], [y], [binaryCode('add'), 0, 0]);
                disposeAll([y]);
            });
        },
    };
}

export const reductions: readonly Benchmark[] = [
    sumRow(4096, 10),
    sumRow(4096, 128),
    biasRow(4096, 10),
    biasRow(4096, 128),
];
