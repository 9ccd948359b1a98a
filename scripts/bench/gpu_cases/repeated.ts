import { capture, setThreads, zeros, type Tensor } from '../../../lib/index.js';
import type { BenchContext, PeerCalls, Subject } from '../benchmark.js';
import { disposeAll } from '../cases/calls.js';

/** Of operands, by the word in a row's name. */
export const DTYPES = { f32: 'float32', f16: 'float16', bf16: 'bfloat16' } as const;

/** Calls on the same operands as one captured step; `call` writes to tensors that are there already. */
export function repeatedSubject(
    { threads, device = 'cpu' }: BenchContext,
    times: number,
    call: (i: number) => void,
): Subject {
    setThreads(threads);
    const step = capture((nothing: Tensor) => {
        for (let i = 0; i < times; i++) call(i);
        return nothing;
    });
    return {
        key: 'nativegrad',
        run: async (count) => {
            const steps = zeros([count], { device });
            const start = performance.now();
            const { result } = await step.run(count, [steps]);
            const seconds = (performance.now() - start) / 1000;
            disposeAll([steps, result]);
            const { calls } = step.statistics.programs[0];
            if (calls !== times) throw new Error(`[bench] the program has ${calls} calls, not ${times}`);
            return seconds;
        },
        profile: (count) => step.profile(count, zeros([], { device })),
    };
}

/** The same in PyTorch; `work` makes it, as in peer/torch_gpu.py. */
export function torchRepeated(work: string): PeerCalls {
    return {
        framework: 'torch',
        setup: `from torch_gpu import convolution, copy, product\nwork = ${work}`,
        statement: 'work.enqueue()',
        finish: 'work.finish()',
    };
}
