import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import {
    capture,
    CaptureError,
    captureModels,
    Generator,
    manualSeed,
    memory,
    nn,
    ones,
    optim,
    randint,
    randn,
    setThreads,
    threads,
    type Tensor,
} from '../../lib/index.js';
import { CapturedProgram } from '../../lib/program/captured_program.js';
import { recordStep } from '../../lib/program/record_step.js';
import { join } from '../../lib/program/replays.js';

type Step = (x: Tensor, y: Tensor) => Tensor;

interface Made {
    readonly model: nn.Sequential;
    readonly step: Step;
}

function stepOf(model: nn.Layer, optimizer: optim.Optimizer): Step {
    return (x, y) => {
        optimizer.zeroGrad();
        const loss = nn.crossEntropy(model.forward(x), y);
        loss.backward();
        optimizer.step();
        return loss;
    };
}

/** Models that differ in everything that may differ. */
function dense(seed: number, width = 16): Made {
    manualSeed(seed);
    const model = new nn.Sequential(
        new nn.Linear(12, width),
        new nn.ReLU(),
        new nn.Dropout(0.1 + 0.1 * seed, { generator: new Generator(100 + seed) }),
        new nn.Linear(width, 4),
    );
    const optimizer = new optim.AdamW(model.parameters(), {
        lr: 1e-2 / (1 + seed),
        weightDecay: 0.01 * seed,
    });
    return { model, step: stepOf(model, optimizer) };
}

function convolutional(seed: number): Made {
    manualSeed(seed);
    const model = new nn.Sequential(
        new nn.Conv2d(1, 8, 3, { padding: 1 }),
        new nn.BatchNorm2d(8),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Flatten(),
        new nn.Linear(8 * 9, 4),
    );
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
    return { model, step: stepOf(model, optimizer) };
}

const weights = ({ model }: Made): unknown => [...model.stateDict().values()].map((x) => x.toArray());
const seeds = [0, 1, 2, 3, 4];

describe('captureModels', () => {
    const steps = 12;
    let xs: Tensor, ys: Tensor, images: Tensor;

    before(() => {
        manualSeed(50);
        xs = randn([steps, 8, 12]);
        ys = randint(0, 4, [steps, 8]);
        images = randn([steps, 8, 1, 6, 6]);
    });

    const kinds = [
        ['dense models', dense, () => xs],
        ['convolutions with batch norm', convolutional, () => images],
    ] as const;
    for (const [name, make, inputs] of kinds) {
        it(`gives each of the ${name} the bits of its own run, for any number of threads`, async () => {
            const alone: unknown[] = [];
            for (const seed of seeds) {
                const made = make(seed);
                const { result } = await capture(made.step).run(steps, [inputs(), ys]);
                alone.push([result.toArray(), weights(made)]);
            }
            const before = threads();
            try {
                for (const count of [1, 2, 3]) {
                    setThreads(count);
                    const made = seeds.map((seed) => make(seed));
                    const train = captureModels(made.map(({ step }) => step));
                    const { results } = await train.run(steps, [inputs(), ys], { chunk: 5 });
                    assert.deepEqual(
                        results.map((losses, i) => [losses.toArray(), weights(made[i])]),
                        alone,
                    );
                }
            } finally {
                setThreads(before);
            }
        });
    }

    it('runs a step at once, on the same inputs or on inputs of each one’s own', () => {
        const made = seeds.map((seed) => dense(seed));
        const train = captureModels(made.map(({ step }) => step));
        const [x, y] = [xs.select(0, 0), ys.select(0, 0)];
        const same = train(x, y).map((loss) => loss.item());
        const own = train
            .each(seeds.map((i) => [xs.select(0, i), ys.select(0, i)]))
            .map((loss) => loss.item());
        const expected = seeds.map((seed) => {
            const step = capture(dense(seed).step);
            return [step(x, y).item(), step(xs.select(0, seed), ys.select(0, seed)).item()];
        });
        assert.deepEqual(
            seeds.map((_, i) => [same[i], own[i]]),
            expected,
        );
        assert.equal(train.statistics.captures, seeds.length);
        assert.equal(train.statistics.replays, 2);
    });

    it('takes stacked inputs of each one’s own', async () => {
        const made = seeds.map((seed) => dense(seed));
        const turned = seeds.map((seed) => xs.roll(seed, 0).contiguous());
        const { results } = await captureModels(made.map(({ step }) => step)).runEach(
            steps,
            turned.map((x): [Tensor, Tensor] => [x, ys]),
        );
        const alone = await capture(dense(3).step).run(steps, [turned[3], ys]);
        assert.deepEqual(results[3].toArray(), alone.result.toArray());
    });

    it('goes on without those that are dropped', async () => {
        const made = seeds.map((seed) => dense(seed));
        const train = captureModels(made.map(({ step }) => step));
        await train.run(steps, [xs, ys]);
        const dropped = weights(made[1]);
        train.drop(1, 3);
        assert.deepEqual(train.models, [0, 2, 4]);
        const { results } = await train.run(steps, [xs, ys]);
        assert.equal(results.length, 3);
        const alone = capture(dense(4).step);
        await alone.run(steps, [xs, ys]);
        assert.deepEqual(results[2].toArray(), (await alone.run(steps, [xs, ys])).result.toArray());
        assert.deepEqual(weights(made[1]), dropped);
        assert.throws(() => train.drop(3), /model 3 is none of those that go on: 0, 2, 4/);
        assert.throws(() => train.drop(0, 2, 4), /at least one model must go on/);
    });

    it('checks each program against its own step where asked', () => {
        let factor = 1;
        const [first, second] = [dense(0), dense(1)];
        const constant: Step = (x, y) => first.step(x, y).mul(2);
        const changing: Step = (x, y) => second.step(x, y).mul(factor++);
        const train = captureModels([constant, changing], { validate: true });
        // Its capture took the 1, the step itself takes the 2.
        assert.throws(() => train(xs.select(0, 0), ys.select(0, 0)), /disagree: result 0/);
        captureModels([dense(0).step, dense(1).step], { validate: true })(xs.select(0, 0), ys.select(0, 0));
    });

    it('needs less memory for temporaries than the programs alone', () => {
        const wide = (): Step[] => seeds.map((seed) => dense(seed, 128).step);
        const [x, y] = [randn([256, 12]), randint(0, 4, [256])];
        const growth = (body: () => void): number => {
            const before = memory().liveBytes;
            body();
            return memory().liveBytes - before;
        };
        const alone = wide().map((step) => capture(step));
        const apart = growth(() => alone.forEach((step) => step(x, y).dispose()));
        const steps = captureModels(wide());
        const together = growth(() => steps(x, y).forEach((loss) => loss.dispose()));
        const arena = alone[0].statistics.programs[0].arenaBytes;
        assert.ok(apart - together >= 2 * arena, `${apart - together} bytes saved, one arena has ${arena}`);
    });

    it('refuses drop and other calls from onProgress, and goes on undisturbed', async () => {
        for (const validate of [0, 2]) {
            const train = captureModels(
                seeds.map((seed) => dense(seed).step),
                { validate },
            );
            const refused: string[] = [];
            const note = (body: () => unknown): void =>
                assert.throws(body, (error: Error) => refused.push(error.message) > 0);
            const [x, y] = [xs.select(0, 0), ys.select(0, 0)];
            const others: Promise<unknown>[] = [];
            const { steps: done, results } = await train.run(steps, [xs, ys], {
                chunk: 5,
                onProgress: () => {
                    note(() => train.drop(1));
                    note(() => train(x, y));
                    others.push(assert.rejects(train.run(1, [xs, ys]), /still running/));
                },
            });
            await Promise.all(others);
            assert.equal(done, steps);
            assert.ok(
                refused.some((text) =>
                    text.includes('still running on another thread; await it before drop'),
                ),
            );
            assert.ok(refused.every((text) => text.includes('onProgress is called while it runs')));
            assert.deepEqual(train.models, seeds);
            const alone = await capture(dense(3).step).run(steps, [xs, ys]);
            if (validate === 0) assert.deepEqual(results[3].toArray(), alone.result.toArray());
            train.drop(1);
            assert.equal(train(x, y).length, seeds.length - 1);
        }
    });

    it('can be used again after onProgress threw', async () => {
        const train = captureModels(seeds.map((seed) => dense(seed).step));
        const onProgress = (): never => assert.fail('from onProgress');
        await assert.rejects(train.run(steps, [xs, ys], { chunk: 5, onProgress }), /from onProgress/);
        train.drop(1);
        assert.equal((await train.run(steps, [xs, ys])).results.length, seeds.length - 1);
    });

    it('shares temporaries within the group of a thread only, also after others were dropped', () => {
        const before = threads();
        const groups = Math.max(2, availableParallelism());
        setThreads(groups);
        try {
            const [x, y] = [xs.select(0, 0), ys.select(0, 0)];
            const programs = Array.from(
                { length: 2 * groups },
                (_, seed) =>
                    new CapturedProgram(
                        recordStep(
                            (...inputs) => dense(seed % 8).step(inputs[0], inputs[1]),
                            [x, y],
                            { fuse: true, gradients: true },
                            false,
                        ),
                    ),
            );
            assert.equal(join(programs), groups);
            assert.equal(join(programs.slice(0, 2)), 2);
            // Those that share an arena need not be neighbours.
            assert.equal(join(programs), groups);
            const mixed = [0, 2, 1, 3].flatMap((i) => programs[i] ?? []);
            assert.equal(join(mixed.slice(0, 3)), Math.min(3, groups));
        } finally {
            setThreads(before);
        }
    });

    const shared = (): Step[] => {
        const { model } = dense(0);
        return [0.1, 0.2].map((lr) => stepOf(model, new optim.SGD(model.parameters(), { lr })));
    };
    const refused: [string, () => unknown, RegExp][] = [
        [
            'other layers',
            () => captureModels([dense(0).step, dense(1, 24).step])(xs.select(0, 0), ys.select(0, 0)),
            /the steps differ: call 1 is linear_activation .*\[16, 12\].* for model 0, linear_activation .*\[24, 12\].* for model 1/,
        ],
        [
            'the same parameters',
            () => captureModels(shared())(xs.select(0, 0), ys.select(0, 0)),
            /model 0 writes a tensor that the step of model 1 uses/,
        ],
        ['no list', () => captureModels(dense(0).step as never), /a list with the step of each model/],
        ['an empty list', () => captureModels([]), /a list with the step of each model/],
        ['other options', () => captureModels([dense(0).step], { valid: 1 } as never), /captureModels/],
        [
            'inputs for fewer models',
            () => captureModels([dense(0).step, dense(1).step]).each([[xs, ys]]),
            /inputs for each of the 2 models/,
        ],
    ];
    for (const [name, call, message] of refused) it(`refuses ${name}`, () => assert.throws(call, message));

    it('names the model, by its number in the list of steps', async () => {
        const x = ones([2, 2]);
        let broken: (inputs: Tensor) => unknown = () => undefined;
        const train = captureModels(
            [0, 1, 2].map((i) => (x: Tensor) => (i === 2 ? broken(x) : undefined, x.mul(i))),
        );
        train(ones([2, 2]));
        for (const [body, message] of [
            [(x: Tensor) => x.sum().item(), /^\[captureModels\] model 2: the step reads the values of/],
            [(x: Tensor) => x.matmul(ones([7, 7])), /^\[captureModels\] model 2: \[matmul\] inner/],
            [
                () => {
                    throw new Error('of the user');
                },
                /^of the user$/,
            ],
        ] as const) {
            broken = body;
            // Another shape asks for another program.
            assert.throws(
                () => train(ones([3, 3])),
                (error: Error) => message.test(error.message),
            );
        }
        train.drop(1);
        broken = (x) => x.sum().item();
        const ofModel = (error: Error): boolean =>
            error.message.startsWith('[captureModels] model 2: the step');
        assert.throws(() => train(ones([4, 4])), ofModel);
        broken = () => undefined;
        assert.deepEqual(
            train.statistics.programs.map(({ model }) => model),
            [0, 0, 0, 2],
        );
        assert.throws(
            () => train.each([[ones([2, 2])], [3 as never]]),
            /^TypeError: \[captureModels\] model 2: input 0 must be a Tensor/,
        );
        assert.throws(() => train(3 as never), /\[captureModels\] input 0 must be a Tensor/);
        await assert.rejects(
            train.runEach(2, [[ones([2, 2])], [ones([3, 2])]]),
            /\[captureModels\] model 2: input 0 of shape \[3, 2\] has a first axis of 3 for 2 steps/,
        );
        await assert.rejects(train.run(-1, [x]), /^RangeError: \[captureModels\] run takes the number/);
        assert.throws(() => captureModels([dense(0).step], { fuse: 1 } as never), /\[captureModels\] fuse/);
        // Each model is checked by itself.
        let factor = 1;
        const checked = captureModels([(x: Tensor) => x.mul(2), (x: Tensor) => x.mul(factor)], {
            validate: true,
        });
        checked(x);
        factor = 2;
        assert.throws(() => checked(x), /^CaptureMismatchError: \[captureModels\] model 1: /);
    });

    it('names the model that met a wrong value, also when others were dropped', async () => {
        const train = captureModels([0, 1, 2].map((seed) => dense(seed).step));
        await train.run(steps, [xs, ys]);
        const wrong = ys.add(4);
        const ofModel2 =
            /^Error: \[captureModels\] model 2: \[cross_entropy\] label \d at row 0 is outside \[0, 4\)/;
        await assert.rejects(
            train.runEach(steps, [
                [xs, ys],
                [xs, ys],
                [xs, wrong],
            ]),
            ofModel2,
        );
        train.drop(0);
        await assert.rejects(
            train.runEach(steps, [
                [xs, ys],
                [xs, wrong],
            ]),
            ofModel2,
        );
    });

    it('says in the error of which kind it is', () => {
        const call = (): unknown =>
            captureModels([dense(0).step, dense(1, 24).step])(xs.select(0, 0), ys.select(0, 0));
        assert.throws(call, CaptureError);
    });
});
