import { randn, Tensor } from '../../../lib/index.js';
import { binaryCode, run, unaryCode } from '../../../lib/native/call.js';
import type { Benchmark } from '../benchmark.js';
import { callSubject, disposeAll, torchKernel } from './calls.js';

const SHAPE = [256, 1024];

interface Activation {
    readonly name: string;
    /** Whether the backward pass takes the output rather than the input. */
    readonly takesOutput: boolean;
    readonly forward: string;
    readonly backward: string;
}

const activations: readonly Activation[] = [
    {
        name: 'gelu',
        takesOutput: false,
        forward: 'y = aten.gelu(x)',
        backward: 'aten.gelu_backward(dy, x)',
    },
    { name: 'tanh', takesOutput: true, forward: 'y = aten.tanh(x)', backward: 'aten.tanh_backward(dy, y)' },
    {
        name: 'sigmoid',
        takesOutput: true,
        forward: 'y = aten.sigmoid(x)',
        backward: 'aten.sigmoid_backward(dy, y)',
    },
];

// x -> y; dy, x or y -> dx
function activationRow({ name, takesOutput, forward, backward }: Activation): Benchmark {
    const shape = SHAPE.join(', ');
    return {
        group: 'norm',
        name: `${name}_f32_fwd_bwd_${SHAPE.join('x')}`,
        unit: 'us/call',
        scale: 1e6,
        flops: null,
        bytes: 5 * 4 * 256 * 1024,
        peers: {
            pytorch: torchKernel(
                [`x, dy = torch.randn(${shape}), torch.randn(${shape})`, 'aten = torch.ops.aten'],
                [forward, backward],
            ),
        },
        ours: (context) => {
            const [x, dy] = [randn(SHAPE), randn(SHAPE)];
            return callSubject(context, () => {
                const [y, dx] = [new Tensor(SHAPE, 'float32'), new Tensor(SHAPE, 'float32')];
                run('unary', [x], [y], [unaryCode(name), 0, 0]);
                run('binary', [dy, takesOutput ? y : x], [dx], [binaryCode(`${name}_backward`), 0, 0]);
                disposeAll([y, dx]);
            });
        },
    };
}

export const activation: readonly Benchmark[] = activations.map(activationRow);
