import assert from 'node:assert/strict';
import {
    capture,
    manualSeed,
    nn,
    noGrad,
    optim,
    randn,
    type CaptureOptions,
    type Tensor,
} from '../../lib/index.js';

const elementwise = /^(unary|binary|chain)$/;

/** What a function of x gives twice, and which elementwise calls its program has. */
function captured(
    step: (x: Tensor) => readonly Tensor[],
    x: Tensor,
    options: CaptureOptions = {},
): { values: unknown[]; calls: string[] } {
    return noGrad(() => {
        const run = capture(step, options);
        const values = [run(x), run(x)].map((results) => results.map((item) => item.toArray()));
        const calls = run.profile(1, x).map(({ op }) => op);
        return { values, calls: calls.filter((op) => elementwise.test(op)) };
    });
}

describe('capture joins elementwise functions', () => {
    const x = randn([6, 40]);
    const row = randn([40]);
    const other = randn([6, 40]);
    const cases: [string, (x: Tensor) => readonly Tensor[], string[]][] = [
        ['one behind the other', (v) => [v.mul(2).add(1).tanh()], ['chain']],
        ['rows, numbers and other tensors', (v) => [v.sub(row).div(3).mul(other).add(row)], ['chain']],
        ['what comes together again', (v) => [v.exp().div(v.exp().add(v.neg().exp()))], ['chain', 'chain']],
        [
            'where a value between is a result, too',
            (v) => {
                const y = v.mul(2);
                return [y.add(1).tanh(), y];
            },
            ['chain'],
        ],
        [
            'GELU by hand',
            (v) => [v.mul(0.5).mul(v.add(v.pow(3).mul(0.044715)).mul(0.7978845608).tanh().add(1))],
            ['chain', 'chain'],
        ],
        ['not around a reduction', (v) => [v.mul(2).sum(0), v.mul(3).sum(1)], ['binary', 'binary']],
        ['not a part of a value', (v) => [v.mul(2).slice(1, 0, 8).tanh()], ['binary', 'unary']],
        ['not the transposed value', (v) => [v.mul(2).transpose(0, 1).tanh()], ['binary', 'unary']],
        ['not across dtypes', (v) => [v.mul(2).to('float64').tanh()], ['binary', 'unary']],
        [
            'bfloat16, rounded after each function',
            (v) => [v.to('bfloat16').mul(0.3).add(1).tanh()],
            ['chain'],
        ],
        ['float16 with a row', (v) => [v.to('float16').mul(0.3).add(row.to('float16')).tanh()], ['chain']],
        ['not a row that grows', (v) => [row.mul(2).add(v)], ['binary', 'binary']],
        ['not what is written in between', (v) => [v.mul(2).add_(1).tanh()], ['binary', 'binary', 'unary']],
    ];
    for (const [name, step, expected] of cases) {
        it(name, () => {
            const wanted = noGrad(() => step(x).map((item) => item.toArray()));
            const { values, calls } = captured(step, x);
            assert.deepEqual(values, [wanted, wanted]);
            const single = captured(step, x, { fuse: false });
            assert.deepEqual(single.values, values);
            if (expected.includes('chain')) assert.ok(calls.length < single.calls.length, calls.join(' '));
            else assert.deepEqual(calls, expected);
        });
    }

    it('not where what a step reads is written before its end', () => {
        const state = randn([6, 40]);
        const before = state.clone();
        const step = (v: Tensor): Tensor[] => {
            const y = v.mul(state);
            state.add_(1);
            return [y.add(3).tanh()];
        };
        const wanted = noGrad(() =>
            [step(x), step(x)].map((results) => results.map((item) => item.toArray())),
        );
        noGrad(() => state.copy_(before));
        const { values } = captured(step, x);
        assert.deepEqual(values, wanted);
    });

    it('a loss of their own, its backward pass included: the bits of the step', () => {
        const results = [{ fuse: false }, {}].map((options) => {
            manualSeed(2);
            const model = new nn.Sequential(new nn.Linear(12, 8), new nn.LayerNorm([8]), new nn.Linear(8, 8));
            const optimizer = new optim.AdamW(model.parameters());
            const target = randn([20, 8]);
            const input = randn([20, 12]);
            const run = capture((v: Tensor) => {
                optimizer.zeroGrad();
                const gap = model.forward(v).sub(target);
                // Huber's loss, smooth: sqrt(1 + gap^2) - 1
                const loss = gap.square().add(1).sqrt().sub(1).mean();
                loss.backward();
                optimizer.step();
                return loss;
            }, options);
            const losses = Array.from({ length: 4 }, () => run(input).item());
            const parameters = model.parameters().map((p) => p.toArray());
            return { losses, parameters, calls: run.profile(1, input).map(({ op }) => op) };
        });
        const [single, fused] = results;
        assert.deepEqual([fused?.losses, fused?.parameters], [single?.losses, single?.parameters]);
        assert.ok(fused?.calls.includes('chain'));
        const count = (calls: readonly string[] = []): number =>
            calls.filter((op) => elementwise.test(op)).length;
        assert.ok(
            count(fused.calls) * 2 <= count(single?.calls),
            `${count(fused.calls)} of ${count(single?.calls)}`,
        );
    });
});
