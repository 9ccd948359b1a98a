import { noGrad, randn } from '../../../lib/index.js';
import type { BenchContext, Benchmark, PeerCalls, Subject } from '../benchmark.js';
import { callSubject } from './calls.js';

const SIZE = 16;
const CHAIN = 10;

function withoutGradient(context: BenchContext): Subject {
    const [a, b] = [randn([SIZE]), randn([SIZE])];
    return callSubject(context, () => a.add(b).dispose(), noGrad);
}

function recorded(context: BenchContext): Subject {
    const [a, b] = [randn([SIZE], { requiresGrad: true }), randn([SIZE])];
    return callSubject(context, () => a.add(b).dispose());
}

function chain(context: BenchContext): Subject {
    const [a, b, dy] = [randn([SIZE], { requiresGrad: true }), randn([SIZE]), randn([SIZE])];
    return callSubject(context, () => {
        let y = a.add(b);
        for (let i = 1; i < CHAIN; i++) y = y.add(b);
        y.backward(dy);
    });
}

function torchAdd(setup: string, statement: string, within?: string): PeerCalls {
    const operands = `a, b, dy = torch.randn(${SIZE}), torch.randn(${SIZE}), torch.randn(${SIZE})`;
    return { framework: 'torch', setup: `${operands}\n${setup}`, statement, within };
}

const REQUIRES = 'a.requires_grad_()';
const LOOP = ['y = a + b', `for _ in range(${CHAIN - 1}):`, '    y = y + b'].join('\n');

/** Many, since V8 compiles what it has seen often: the turn that warms up has to be enough for that. */
const TURN = 20_000;

const row = { group: 'eager', unit: 'ns/op', scale: 1e9, turn: TURN, flops: null } as const;

export const eager: readonly Benchmark[] = [
    {
        ...row,
        name: `eager_add_f32_${SIZE}`,
        peers: {
            pytorch: torchAdd('', 'a + b', 'torch.no_grad()'),
            pytorch_inference_mode: torchAdd('', 'a + b', 'torch.inference_mode()'),
        },
        ours: withoutGradient,
    },
    {
        ...row,
        name: `eager_add_recorded_f32_${SIZE}`,
        peers: { pytorch: torchAdd(REQUIRES, 'a + b') },
        ours: recorded,
    },
    {
        // An op is one add with its part of the backward pass.
        ...row,
        name: `eager_add_backward_f32_${SIZE}_chain${CHAIN}`,
        scale: row.scale / CHAIN,
        turn: TURN / CHAIN,
        peers: {
            pytorch: torchAdd(REQUIRES, `${LOOP}\ny.backward(dy)`),
            pytorch_grad: torchAdd(REQUIRES, `${LOOP}\ntorch.autograd.grad(y, a, dy)`),
        },
        ours: chain,
    },
];
