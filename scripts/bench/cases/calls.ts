import { setThreads, type Tensor } from '../../../lib/index.js';
import type { BenchContext, PeerCalls, Subject } from '../benchmark.js';

/** Our side of a row whose unit of work is one synchronous call; `within` runs a whole turn, in a mode such as noGrad. */
export function callSubject(
    context: BenchContext,
    call: () => void,
    within: (turn: () => void) => void = (turn) => turn(),
): Subject {
    setThreads(context.threads);
    return {
        key: 'nativegrad',
        run: (count) => {
            const start = performance.now();
            within(() => {
                for (let i = 0; i < count; i++) call();
            });
            return Promise.resolve((performance.now() - start) / 1000);
        },
    };
}

export function disposeAll(tensors: readonly (Tensor | null)[]): void {
    for (const tensor of tensors) tensor?.dispose();
}

/** Operations of PyTorch without autograd; the lines of `setup` make the operands. */
export function torchKernel(setup: readonly string[], statement: string | readonly string[]): PeerCalls {
    return {
        framework: 'torch',
        setup: setup.join('\n'),
        statement: typeof statement === 'string' ? statement : statement.join('\n'),
        within: 'torch.inference_mode()',
    };
}

/** The same work on operands in PyTorch's default order and channels last; `make` gets the code of the memory format. */
export function torchLayouts(make: (format: string) => PeerCalls): Record<string, PeerCalls> {
    return {
        pytorch: make('torch.contiguous_format'),
        pytorch_channels_last: make('torch.channels_last'),
    };
}
