import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import {
    capture,
    manualSeed,
    nn,
    ones,
    optim,
    randint,
    randn,
    tensor,
    type CapturedStep,
    type Tensor,
    type TensorData,
    zeros,
} from '../../lib/index.js';
import { compiledEnvironment, compiledLibrary } from '../support/compiled.js';

interface Made {
    readonly model: nn.Sequential;
    readonly run: CapturedStep<[Tensor, Tensor], { loss: Tensor; outputs: Tensor }>;
}

function make(width = 32, validate = 0): Made {
    manualSeed(3);
    const model = new nn.Sequential(
        new nn.Linear(20, width),
        new nn.ReLU(),
        new nn.Dropout(0.2),
        new nn.Linear(width, 4),
    );
    const optimizer = new optim.Adam(model.parameters());
    const step = (x: Tensor, y: Tensor): { loss: Tensor; outputs: Tensor } => {
        optimizer.zeroGrad();
        const outputs = model.forward(x);
        const loss = nn.crossEntropy(outputs, y);
        loss.backward();
        optimizer.step();
        return { loss, outputs };
    };
    return { model, run: capture(step, { validate }) };
}

function weights({ model }: Made): unknown {
    return [...model.stateDict().values()].map((x) => x.toArray());
}

const script = new URL('../support/capture_worker.mjs', import.meta.url);

describe('capture on another thread', () => {
    const steps = 50;
    let xs: Tensor, ys: Tensor;

    before(() => {
        manualSeed(1);
        xs = randn([steps, 8, 20]);
        ys = randint(0, 4, [steps, 8]);
    });

    async function singleSteps(): Promise<{ losses: number[]; weights: unknown }> {
        const made = make();
        manualSeed(9);
        const losses: number[] = [];
        for (let i = 0; i < steps; i++) {
            const x = xs.select(0, i);
            const y = ys.select(0, i);
            const { loss } = i % 2 === 0 ? made.run(x, y) : await made.run.async(x, y);
            losses.push(loss.item());
        }
        return { losses, weights: weights(made) };
    }

    it('gives the same bits step by step, and many steps at once', async () => {
        const single = await singleSteps();
        for (const chunk of [1, 7, steps, undefined]) {
            const made = make();
            manualSeed(9);
            const progress: number[] = [];
            const options = chunk === undefined ? {} : { chunk };
            const { steps: done, result } = await made.run.run(steps, [xs, ys], {
                ...options,
                onProgress: (count) => progress.push(count),
            });
            assert.equal(done, steps);
            assert.equal(progress.at(-1), steps);
            assert.deepEqual(result.loss.toArray(), single.losses);
            assert.deepEqual(result.outputs.shape, [steps, 8, 4]);
            assert.deepEqual(weights(made), single.weights);
        }
    });

    it('shows the results of each chunk, and waits for who looks at them', async () => {
        const single = await singleSteps();
        for (const validate of [0, 5]) {
            const made = make(32, validate);
            manualSeed(9);
            const losses: number[] = [];
            let [seen, last]: (Tensor | null)[] = [null, null];
            const { result } = await made.run.run(steps, [xs, ys], {
                chunk: 4,
                onProgress: async (done, { loss, outputs }) => {
                    last = loss;
                    seen ??= loss.clone();
                    await new Promise((resolve) => setTimeout(resolve, 1));
                    losses.push(...(loss.toArray() as number[]));
                    assert.equal(done, losses.length);
                    assert.equal(outputs.shape[0], loss.size);
                },
            });
            assert.deepEqual(losses, single.losses);
            assert.deepEqual(result.loss.toArray(), single.losses);
            assert.equal((last as Tensor | null)?.isDisposed, true);
            assert.equal((seen as Tensor | null)?.isDisposed, false);
        }
    });

    it('ends with what onProgress throws or rejects with, after whole chunks', async () => {
        for (const onProgress of [
            (done: number) => assert.notEqual(done, 8, 'enough'),
            async (done: number) => {
                await Promise.resolve();
                assert.notEqual(done, 8, 'enough');
            },
        ]) {
            const weight = zeros([2]);
            const run = capture((x: Tensor) => weight.add_(x));
            await assert.rejects(run.run(20, [ones([20, 2])], { chunk: 4, onProgress }), /enough/);
            assert.deepEqual(weight.toArray(), [8, 8]);
            assert.equal((await run.run(2, [ones([2, 2])])).steps, 2);
        }
    });

    it('names the count or option of a run that is wrong', async () => {
        const run = capture((x: Tensor) => x.add(1));
        const x = ones([2, 3]);
        for (const steps of [-1, 1.5, NaN, '2', undefined])
            await assert.rejects(run.run(steps as never, [x]), /number of steps first, .* at least 0, got/);
        for (const chunk of [0, -3, 0.5, 'all'])
            await assert.rejects(run.run(2, [x], { chunk } as never), /chunk must be .* at least 1, got/);
        await assert.rejects(run.run(2, [x], { onProgress: 7 } as never), /onProgress must be a function/);
        await assert.rejects(run.run(2, [x], { signal: true } as never), /signal must be the AbortSignal/);
    });

    it('wants an entry of each input for every step', async () => {
        const run = capture((x: Tensor, y: Tensor) => x.matmul(y));
        const [x, y] = [ones([2, 3, 4]), ones([2, 4, 5])];
        for (const [steps, what] of [
            [
                1,
                /\[capture\] input 0 of shape \[2, 3, 4\] has a first axis of 2 for 1 step; inputs of run have one more/,
            ],
            [3, /input 0 of shape \[2, 3, 4\] has a first axis of 2 for 3 steps/],
            [0, /input 0 of shape \[2, 3, 4\] has a first axis of 2 for 0 steps/],
        ] as const)
            await assert.rejects(run.run(steps, [x, y]), what);
        await assert.rejects(
            run.run(2, [x, ones([3, 4, 5])]),
            /input 1 of shape \[3, 4, 5\] has a first axis of 3 for 2 steps/,
        );
        await assert.rejects(run.run(2, [x, ones([])]), /input 1 of shape \[\] has no axis for 2 steps/);
        assert.equal((await run.run(2, [x, y])).steps, 2);
    });

    it('takes no steps for what they are', async () => {
        const sum = zeros([3]);
        const run = capture((x: Tensor) => sum.add_(x).mul(2));
        const { steps: done, result } = await run.run(0, [ones([0, 3])]);
        assert.deepEqual([done, result.shape], [0, [0, 3]]);
        assert.deepEqual((await run.run(2, [ones([2, 3])])).result.toArray(), [
            [2, 2, 2],
            [4, 4, 4],
        ]);
        assert.equal(run.statistics.captures, 1);
    });

    it('says so where the inputs of a run are those of one step', async () => {
        const layer = new nn.BatchNorm1d(4);
        const run = capture((x: Tensor, y: Tensor) => nn.crossEntropy(layer.forward(x), y));
        const [x, y] = [randn([8, 4]), randint(0, 4, [8])];
        // The number of steps happens to be that of the samples.
        await assert.rejects(
            run.run(8, [x, y]),
            /BatchNorm1d: expected .*; run gave the step the first entries of its inputs, \[4\], \[\]: inputs of run have one more/,
        );
        run(x, y);
        await assert.rejects(
            run.run(100, [x, y]),
            /input 0 of shape \[8, 4\] is that of one step; inputs of run have .*: \[100, 8, 4\] for 100 steps/,
        );
    });

    it('stops at a signal between chunks, with the steps done so far', async () => {
        const made = make();
        manualSeed(9);
        const abort = new AbortController();
        const { steps: done, result } = await made.run.run(steps, [xs, ys], {
            chunk: 4,
            signal: abort.signal,
            onProgress: (count) => count >= 12 && abort.abort(),
        });
        assert.equal(done, 12);
        assert.deepEqual(result.loss.toArray(), (await singleSteps()).losses.slice(0, 12));
    });

    it('lets those wait who use what it writes, and who write what it reads', async () => {
        const x = randn([256, 20]);
        const y = randint(0, 4, [256]);
        const expected = make(512);
        manualSeed(9);
        expected.run(x, y);
        const first = ({ model }: Made): Tensor => model.parameters()[0] ?? assert.fail();
        const uses: ((made: Made, input: Tensor) => TensorData | undefined)[] = [
            (made) => first(made).mul(1).dataSync(),
            (made) => first(made).dataSync(),
            (_, input) => void input.zero_(),
        ];
        for (const use of uses) {
            const made = make(512);
            const input = x.clone();
            manualSeed(9);
            const running = made.run.async(input, y);
            const seen = use(made, input);
            if (seen) assert.deepEqual(seen, first(expected).dataSync());
            await running;
            assert.deepEqual(weights(made), weights(expected));
        }
    });

    it('runs once at a time', async () => {
        const made = make(512);
        const x = randn([256, 20]);
        const y = randint(0, 4, [256]);
        const [weight] = made.model.parameters();
        const running = made.run.async(x, y);
        assert.throws(() => made.run(x, y), /still running on another thread; await it/);
        await assert.rejects(made.run.async(x, y), /still running on another thread/);
        // Waits by itself.
        assert.equal((await weight?.data())?.length, 512 * 20);
        await running;
        assert.ok(weight?.mul(2));
    });

    it('refuses inputs of a run that are no list, and misspelt options', async () => {
        const run = capture((x: Tensor) => x.add(1));
        await assert.rejects(
            run.run(2, ones([2, 3]) as never),
            /run takes .* a list, got a Tensor; write run\(/,
        );
        await assert.rejects(run.run(2, undefined as never), /in a list, got undefined/);
        await assert.rejects(
            run.run(2, ones([2, 3]) as never, ones([2]) as never),
            /got several tensors; write run\(steps, \[x, y\]\)/,
        );
        await assert.rejects(
            run.run(2, [ones([2, 3])], { onprogress: () => 0 } as never),
            /mean 'onProgress'/,
        );
        assert.equal((await run.run(2, [ones([2, 3])])).steps, 2);
    });

    it('says which inputs of a run are missing, where the step fails for them', async () => {
        const run = capture((x: Tensor, y: Tensor) => nn.crossEntropy(x, y));
        await assert.rejects(
            run.run(2, [ones([2, 3, 4])] as never),
            /the step failed with 1 of its 2 inputs \(\[cross_entropy\] .*\); pass all of them/,
        );
        const optional = capture((x: Tensor, y?: Tensor) => (y ? x.add(y) : x.mul(2)));
        assert.deepEqual((await optional.run(2, [ones([2, 1])])).result.toArray(), [[2], [2]]);
    });

    it('survives disposal of what it reads', async () => {
        const made = make();
        const x = xs.select(0, 0).clone();
        const running = made.run.async(x, ys.select(0, 0));
        x.dispose();
        assert.ok((await running).loss.item() > 0);
    });

    it('rejects with the op and the step that failed, and can be used again', async () => {
        const table = randn([3, 2]);
        const run = capture((index: Tensor) => table.indexSelect(0, index));
        const index = (values: number[][]): Tensor => tensor(values, { dtype: 'int32' });
        await assert.rejects(
            run.run(3, [index([[0], [7], [1]])]),
            /index_select.*step 2 of 3 of a captured program/s,
        );
        assert.equal((await run.run(2, [index([[0], [1]])])).steps, 2);
    });

    it('leaves the event loop to others', async () => {
        const made = make(2048);
        made.run(xs.select(0, 0), ys.select(0, 0));
        let turns = 0;
        const timer = setInterval(() => turns++, 1);
        await made.run.run(steps, [xs, ys]);
        clearInterval(timer);
        assert.ok(turns > 0);
    });

    it('runs two steps that are started at once in turn, and gives their own bits', async () => {
        const descent = (rate: number): CapturedStep<[Tensor], Tensor> => {
            const w = ones([20], { requiresGrad: true });
            const optimizer = new optim.SGD([w], { lr: rate });
            return capture((x: Tensor) => {
                optimizer.zeroGrad();
                const loss = x.mul(w).square().mean();
                loss.backward();
                optimizer.step();
                return loss;
            });
        };
        const [a, b] = await Promise.all([
            descent(0.1).run(steps, [xs], { chunk: 7 }),
            descent(0.2).run(steps, [xs], { chunk: 5 }),
        ]);
        const [alone, other] = [await descent(0.1).run(steps, [xs]), await descent(0.2).run(steps, [xs])];
        assert.deepEqual(a.result.toArray(), alone.result.toArray());
        assert.deepEqual(b.result.toArray(), other.result.toArray());
        assert.notDeepEqual(a.result.toArray(), b.result.toArray());
    });

    for (const [ending, statement, status] of [
        ['by itself once the run is done', '', 0],
        ['at once when it is told to in the middle of a run', 'setTimeout(() => process.exit(3), 50);', 3],
    ] as const) {
        it(`lets the process end ${ending}`, () => {
            const steps = status === 0 ? 20 : 1_000_000;
            const code = `
                const { capture, randn, zeros } = await import(${JSON.stringify(compiledLibrary())});
                const w = randn([64, 64]);
                const step = capture((x) => x.matmul(w).sum());
                const xs = zeros([1, 64, 64]).expand([${steps}, 64, 64]);
                ${statement}
                await step.run(${steps}, [xs], { chunk: ${steps} });
                console.log('done');`;
            const begin = performance.now();
            const ended = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
                encoding: 'utf8',
                env: compiledEnvironment(),
                timeout: 50_000,
            });
            assert.equal(ended.stderr, '');
            assert.equal(ended.status, status);
            assert.equal(ended.stdout, status === 0 ? 'done\n' : '');
            assert.ok(performance.now() - begin < 40_000);
        });
    }

    it('ends with the worker that started it', async () => {
        for (let i = 0; i < 20; i++) {
            const worker = new Worker(script, {
                workerData: { library: compiledLibrary() },
                env: compiledEnvironment(),
                execArgv: [],
            });
            await new Promise<void>((resolve, reject) => {
                worker.once('message', () => resolve());
                worker.once('error', reject);
            });
            await worker.terminate();
        }
    });
});
