import { ones, randint, randn, Tensor } from '../../../lib/index.js';
import { run } from '../../../lib/native/call.js';
import { viewOf } from '../../../lib/tensor/tensor.js';
import type { BenchContext, Benchmark, Subject } from '../benchmark.js';
import { callSubject, disposeAll, torchKernel } from './calls.js';

/** No label is left out, no smoothing. */
const PARAMETERS = [-100, 0];
/** The row of the sum among the reductions, no constant, one axis: 0. */
const SUM = [0, 0, 1, 0];

// scores [rows, classes], labels [rows] -> sum of the losses; its gradient -> d scores
function ours(rows: number, classes: number, context: BenchContext): Subject {
    const scores = randn([rows, classes]);
    const labels = randint(0, classes, [rows], { dtype: 'int64' });
    const dLosses = viewOf(ones([]), [rows], [0]);
    return callSubject(context, () => {
        const losses = new Tensor([rows], 'float32');
        const total = new Tensor([], 'float32');
        const dx = new Tensor(scores.shape, 'float32');
        run('cross_entropy', [scores, labels], [losses], PARAMETERS);
        run('reduce', [losses], [total], SUM);
        run('cross_entropy_backward', [dLosses, scores, labels], [dx], [...PARAMETERS, 0]);
        disposeAll([losses, total, dx]);
    });
}

function crossEntropyRow(rows: number, classes: number): Benchmark {
    return {
        group: 'norm',
        name: `cross_entropy_f32_fwd_bwd_${rows}x${classes}`,
        unit: 'us/call',
        scale: 1e6,
        flops: null,
        // x; x -> dx.
        bytes: 3 * 4 * rows * classes,
        peers: {
            pytorch: torchKernel(
                [
                    `x, labels = torch.randn(${rows}, ${classes}), torch.randint(${classes}, (${rows},))`,
                    'aten, dy = torch.ops.aten, torch.tensor(1.0)',
                ],
                [
                    'y = aten._log_softmax(x, 1, False)',
                    'loss, count = aten.nll_loss_forward(y, labels, None, 2, -100)',
                    'dlog = aten.nll_loss_backward(dy, y, labels, None, 2, -100, count)',
                    'aten._log_softmax_backward_data(dlog, y, 1, torch.float32)',
                ],
            ),
        },
        ours: (context) => ours(rows, classes, context),
    };
}

export const crossEntropy: readonly Benchmark[] = [
    crossEntropyRow(64, 10),
    crossEntropyRow(4096, 10),
    crossEntropyRow(128, 1000),
];
