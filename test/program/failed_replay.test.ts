import assert from 'node:assert/strict';
import {
    capture,
    captureModels,
    Generator,
    manualSeed,
    nn,
    optim,
    randint,
    randn,
    setThreads,
    threads,
    type Tensor,
} from '../../lib/index.js';

interface Made {
    readonly model: nn.Sequential;
    readonly optimizer: optim.AdamW;
    readonly schedule: optim.StepLR;
    readonly generator: Generator;
    readonly step: (x: Tensor, y: Tensor) => Tensor;
}

/** A step with all kinds of JavaScript state: Adam's counter, a schedule, random offsets. */
function make(seed = 0): Made {
    manualSeed(seed);
    const generator = new Generator(100 + seed);
    const model = new nn.Sequential(
        new nn.Linear(6, 16),
        new nn.ReLU(),
        new nn.Dropout(0.3, { generator }),
        new nn.Linear(16, 4),
    );
    const optimizer = new optim.AdamW(model.parameters(), { lr: 1e-2 });
    const schedule = new optim.StepLR(optimizer, { stepSize: 2, gamma: 0.5 });
    const step = (x: Tensor, y: Tensor): Tensor => {
        optimizer.zeroGrad();
        const loss = nn.crossEntropy(model.forward(x), y);
        loss.backward();
        optimizer.step();
        schedule.step();
        return loss;
    };
    return { model, optimizer, schedule, generator, step };
}

function stateOf({ model, optimizer, schedule, generator }: Made): unknown {
    const { state } = optimizer.stateDict();
    return {
        weights: [...model.stateDict().values()].map((x) => x.toArray()),
        steps: Object.values(state).map(({ step }) => step),
        moments: Object.values(state).map(({ tensors }) => Object.values(tensors).map((x) => x.toArray())),
        schedule: schedule.stateDict(),
        rate: optimizer.paramGroups.map(({ lr }) => lr),
        drawn: generator.state,
    };
}

describe('a replay that fails', () => {
    const count = 10;
    let xs: Tensor, ys: Tensor, bad: Tensor;

    before(() => {
        manualSeed(5);
        xs = randn([count, 8, 6]);
        ys = randint(0, 4, [count, 8]);
        bad = ys.clone();
        bad.select(0, 2).fill_(9);
    });

    /** The state after `steps` good steps, and what a further one then gives. */
    function expected(steps: number, seed = 0): unknown[] {
        const made = make(seed);
        const step = capture(made.step);
        for (let i = 0; i < steps; i++) step(xs.select(0, i), ys.select(0, i));
        return [stateOf(made), step(xs.select(0, 0), ys.select(0, 0)).item()];
    }

    it('leaves the state of the whole steps of its chunk', async () => {
        for (const chunk of [1, 2, count]) {
            const made = make();
            const step = capture(made.step);
            await assert.rejects(step.run(count, [xs, bad], { chunk }), /cross_entropy|crossEntropy/);
            const state = stateOf(made);
            assert.deepEqual([state, step(xs.select(0, 0), ys.select(0, 0)).item()], expected(2));
        }
    });

    it('leaves the state as it was when a single step fails, at once or in the background', async () => {
        const made = make();
        const step = capture(made.step);
        const [x, y, wrong] = [xs.select(0, 0), ys.select(0, 0), bad.select(0, 2)];
        step(x, y);
        assert.throws(() => step(x, wrong));
        await assert.rejects(step.async(x, wrong));
        assert.deepEqual(stateOf(made), expected(1)[0]);
    });

    it('says how many whole steps each program did', async () => {
        const step = capture(make().step);
        await assert.rejects(step.run(count, [xs, bad], { chunk: count }), { stepsDone: [2] });
    });

    it('of one of several models lets the others do their steps, for any number of threads', async () => {
        const seeds = [0, 1, 2, 3];
        const before = threads();
        try {
            for (const number of [1, 2, 4]) {
                setThreads(number);
                const made = seeds.map((seed) => make(seed));
                const train = captureModels(made.map(({ step }) => step));
                const inputs = seeds.map((seed): [Tensor, Tensor] => [xs, seed === 1 ? bad : ys]);
                await assert.rejects(train.runEach(count, inputs, { chunk: count }), {
                    stepsDone: [count, 2, count, count],
                });
                const states = made.map((each) => stateOf(each));
                assert.deepEqual(
                    states,
                    seeds.map((seed) => expected(seed === 1 ? 2 : count, seed)[0]),
                );
            }
        } finally {
            setThreads(before);
        }
    });

    it('of several models throws the error of the first of them', () => {
        const made = [0, 1, 2].map((seed) => make(seed));
        const train = captureModels(made.map(({ step }) => step));
        const [x, y] = [xs.select(0, 0), ys.select(0, 0)];
        const wrong = (label: number): Tensor => y.clone().fill_(label);
        assert.throws(
            () =>
                train.each([
                    [x, y],
                    [x, wrong(17)],
                    [x, wrong(33)],
                ]),
            /17/,
        );
        assert.deepEqual(stateOf(made[0] ?? assert.fail()), expected(1, 0)[0]);
    });

    it('changes nothing where the numbers of a generator run out before it starts', async () => {
        const made = make();
        const step = capture(made.step);
        step(xs.select(0, 0), ys.select(0, 0));
        const { seed } = made.generator;
        made.generator.state = { seed, offset: Number.MAX_SAFE_INTEGER - 40 };
        const before = stateOf(made);
        await assert.rejects(
            step.run(count, [xs, ys], { chunk: count }),
            /all numbers of this seed are drawn/,
        );
        assert.deepEqual(stateOf(made), before);
    });
});
