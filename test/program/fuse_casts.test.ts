import assert from 'node:assert/strict';
import {
    autocast,
    capture,
    defaultDevice,
    linear,
    manualSeed,
    nn,
    noGrad,
    optim,
    randn,
    tensor,
    zeros,
} from '../../lib/index.js';
import { run } from '../../lib/native/call.js';
import type { CaptureOptions, DType, Tensor } from '../../lib/index.js';

const special = [0, -0, 1, -1.5, 65504, 65520, 1e-8, 6e-8, 3.4e38, Infinity, -Infinity, NaN, 1.0009765625];

describe('capture casts parameters in one call', () => {
    const build = (): nn.Sequential =>
        new nn.Sequential(
            new nn.Conv2d(1, 4, 3, { padding: 1 }),
            new nn.BatchNorm2d(4),
            new nn.ReLU(),
            new nn.Flatten(),
            new nn.Linear(64, 8),
            new nn.ReLU(),
            new nn.Linear(8, 3),
        );

    const train = (
        precision: 'bfloat16' | 'float16',
        options: CaptureOptions,
    ): { values: unknown; calls: string[] } => {
        manualSeed(1);
        const model = build();
        const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
        const step = capture((x: Tensor) => {
            optimizer.zeroGrad();
            const loss = autocast(precision, () => model.forward(x).to('float32').square().mean());
            loss.backward();
            optimizer.step();
            return loss;
        }, options);
        const x = randn([5, 1, 4, 4]);
        const losses = [step(x).item()];
        // By hand, between two steps.
        noGrad(() => model.parameters().forEach((parameter) => parameter.mul_(0.75)));
        losses.push(step(x).item(), step(x).item());
        return {
            values: [losses, model.parameters().map((parameter) => parameter.toArray())],
            calls: step.profile(1, x).map(({ op }) => op),
        };
    };

    for (const precision of ['bfloat16', 'float16'] as const) {
        it(`in ${precision}: the bits of the step, also after parameters were changed by hand`, () => {
            const single = train(precision, { fuse: false });
            const fused = train(precision, {});
            const casts = (calls: readonly string[], op: string): number =>
                calls.filter((call) => call === op).length;
            assert.equal(casts(fused.calls, 'cast_all'), 1, fused.calls.join(' '));
            assert.ok(casts(single.calls, 'copy') - casts(fused.calls, 'copy') >= 7, fused.calls.join(' '));
            // Batch norm is put together, too, and sums in another order on a GPU.
            if (defaultDevice() === 'cpu') assert.deepEqual(fused.values, single.values);
        });
    }

    it('casts after what changes a parameter within the step', () => {
        const [a, b] = [randn([4, 4]), randn([4, 4])];
        const seen = (options: CaptureOptions): { values: unknown; calls: string[] } => {
            const weights = [a.clone(), b.clone()];
            const step = capture((x: Tensor) => {
                const [first, second] = weights as [Tensor, Tensor];
                return noGrad(() =>
                    autocast('bfloat16', () => {
                        const y = linear(x, first);
                        second.mul_(0.5);
                        const z = linear(y, second);
                        first.add_(1);
                        return [z, linear(z, first)];
                    }),
                );
            }, options);
            const x = tensor([[1, 2, 3, 4]]);
            const values = [step(x), step(x)].map((made) => made.map((y) => y.toArray()));
            return { values, calls: step.profile(1, x).map(({ op }) => op) };
        };
        const fused = seen({});
        assert.deepEqual(fused.values, seen({ fuse: false }).values);
        // Of the input and of the first weight; the second one and the last come later.
        assert.equal(fused.calls.filter((op) => op === 'cast_all').length, 1);
        assert.equal(fused.calls.filter((op) => op === 'copy').length, 2, fused.calls.join(' '));
    });

    for (const dtype of ['float16', 'bfloat16'] as const) {
        it(`cast_all has the bits of single casts to ${dtype}: sizes, places and orders of all kinds`, () => {
            const long = randn([70001]);
            const list = [
                tensor(special),
                long,
                long.slice(0, 1, 70000),
                zeros([0, 3]),
                randn([6, 50]).permute([1, 0]),
                tensor(3),
                randn([1, 40000]),
            ];
            const made = list.map((x) => x.to(dtype).mul(0));
            run('cast_all', list, made);
            made.forEach((y, i) =>
                assert.deepEqual(y.toArray(), list[i]?.to(dtype).toArray(), `tensor ${i}`),
            );
        });
    }

    it('cast_all refuses what does not fit', () => {
        const half = (dtype: DType): Tensor => zeros([2], { dtype });
        const wrong: [Tensor[], Tensor[], RegExp][] = [
            [
                [half('float32')],
                [half('float64')],
                /\[cast_all\] takes float32 to float16 or bfloat16, got float32 to float64/,
            ],
            [[half('float64')], [half('float16')], /got float64 to float16/],
            [
                [half('float32'), half('float32')],
                [half('float16'), half('bfloat16')],
                /got float32 to bfloat16/,
            ],
            [[zeros([3])], [half('float16')], /tensor 0 and its result must have one dense memory order/],
        ];
        for (const [inputs, outputs, message] of wrong)
            assert.throws(() => run('cast_all', inputs, outputs), message);
    });
});
