import assert from 'node:assert/strict';
import { nn, optim, zeros } from '../../lib/index.js';

function sgd(...rates: number[]): optim.SGD {
    return new optim.SGD(rates.map((lr) => ({ params: [new nn.Parameter(zeros([1]))], lr })));
}

function rates(optimizer: optim.Optimizer, schedule: optim.Schedule, steps: number): number[] {
    return Array.from({ length: steps }, (_, i) => {
        if (i > 0) schedule.step();
        return Number(optimizer.paramGroups[0].lr.toPrecision(6));
    });
}

describe('schedules', () => {
    it('keep the ratio of the groups', () => {
        const optimizer = sgd(1, 0.1);
        const schedule = new optim.ExponentialLR(optimizer, { gamma: 0.5 });
        schedule.step();
        assert.deepEqual(schedule.rates, [0.5, 0.05]);
    });

    it('run one after the other, each from its own first step', () => {
        const optimizer = sgd(1);
        const schedule = new optim.SequentialLR(
            [
                new optim.LinearLR(optimizer, { startFactor: 0.5, totalIters: 2 }),
                new optim.ExponentialLR(optimizer, { gamma: 0.1 }),
            ],
            { milestones: [2] },
        );
        assert.deepEqual(rates(optimizer, schedule, 5), [0.5, 0.75, 1, 0.1, 0.01]);
    });

    it('multiply when chained', () => {
        const optimizer = sgd(1);
        const schedule = new optim.ChainedLR([
            new optim.LambdaLR(optimizer, (step) => (step < 2 ? 0.5 : 1)),
            new optim.StepLR(optimizer, { stepSize: 1, gamma: 0.5 }),
        ]);
        assert.deepEqual(rates(optimizer, schedule, 4), [0.5, 0.25, 0.25, 0.125]);
    });

    it('continue from a saved state', () => {
        const make = (optimizer: optim.Optimizer): optim.Schedule =>
            new optim.CosineAnnealingLR(optimizer, { tMax: 10 });
        const [first, second, whole] = [sgd(1), sgd(1), sgd(1)];
        const before = make(first);
        for (let i = 0; i < 4; i++) before.step();
        const after = make(second);
        after.loadStateDict(before.stateDict());
        assert.equal(second.paramGroups[0].lr, first.paramGroups[0].lr);
        after.step();
        const all = make(whole);
        for (let i = 0; i < 5; i++) all.step();
        assert.equal(second.paramGroups[0].lr, whole.paramGroups[0].lr);
        assert.throws(() => make(sgd(1, 2)).loadStateDict(before.stateDict()), /of 1 groups.*has 2/);
    });

    it('continue a plateau with its counters', () => {
        const first = new optim.ReduceLROnPlateau(sgd(1), { patience: 1 });
        first.step(1);
        first.step(2);
        const second = new optim.ReduceLROnPlateau(sgd(1), { patience: 1 });
        second.loadStateDict(first.stateDict());
        second.step(2);
        assert.deepEqual(second.rates, [0.1]);
        const other = new optim.StepLR(sgd(1), { stepSize: 1 }).stateDict();
        assert.throws(() => second.loadStateDict(other), /not that of a ReduceLROnPlateau/);
    });

    it('go on with other rates where they are', () => {
        const [steps, plateau] = [sgd(1), sgd(1)];
        const schedule = new optim.StepLR(steps, { stepSize: 1 });
        schedule.step();
        schedule.rebase([3]);
        const gone = [schedule.rates[0]];
        schedule.step();
        gone.push(schedule.rates[0]);
        assert.deepEqual(
            gone.map((rate) => rate.toFixed(6)),
            ['0.300000', '0.030000'],
        );
        const reduce = new optim.ReduceLROnPlateau(plateau, { patience: 0 });
        for (const loss of [1, 1]) reduce.step(loss);
        reduce.rebase([5]);
        const resumed = new optim.ReduceLROnPlateau(sgd(1), { patience: 0 });
        resumed.loadStateDict(reduce.stateDict());
        resumed.step(1);
        assert.deepEqual([reduce.rates, resumed.rates], [[5], [0.5]]);
        assert.throws(() => reduce.rebase([1, 2]), /\[ReduceLROnPlateau\] rebase takes 1 rates/);
        reduce.step(1);
        assert.deepEqual(reduce.rates, [0.5]);
        assert.throws(() => schedule.rebase(2 as never), /rebase takes 1 rates, one for each group, got/);
    });

    it('count NaN as no improvement', () => {
        const schedule = new optim.ReduceLROnPlateau(sgd(1), { patience: 0 });
        schedule.step(Number.NaN);
        assert.deepEqual(schedule.rates, [0.1]);
    });

    it('cycle the momentum against the rate', () => {
        const p = new nn.Parameter(zeros([1]));
        const adam = new optim.Adam([p], { lr: 1 });
        const options = { maxLr: 1, totalSteps: 10, pctStart: 0.5, annealStrategy: 'linear' as const };
        const schedule = new optim.OneCycleLR(adam, options);
        assert.deepEqual(adam.paramGroups[0].betas, [0.95, 0.999]);
        for (let i = 0; i < 4; i++) schedule.step();
        assert.ok(Math.abs(adam.paramGroups[0].lr - 1) < 1e-12);
        assert.ok(Math.abs(adam.paramGroups[0].betas[0] - 0.85) < 1e-12);
        const still = new optim.SGD([p], { momentum: 0.5 });
        new optim.OneCycleLR(still, { ...options, cycleMomentum: false });
        assert.equal(still.paramGroups[0].momentum, 0.5);
    });

    it('take three phases in one cycle', () => {
        const optimizer = sgd(1);
        const schedule = new optim.OneCycleLR(optimizer, {
            maxLr: 1,
            totalSteps: 11,
            pctStart: 0.4,
            divFactor: 10,
            finalDivFactor: 10,
            annealStrategy: 'linear',
            threePhase: true,
        });
        const found = rates(optimizer, schedule, 11);
        assert.equal(found[0], 0.1);
        assert.equal(found[10], 0.01);
        assert.ok(Math.max(...found) > 0.85);
        // The loop may step behind the last batch, but no further.
        schedule.step();
        assert.throws(() => schedule.step(), /\[OneCycleLR\] step 12 of a cycle of 11/);
    });

    it('begin one cycle at its peak where its rise is one step, which PyTorch divides by zero at', () => {
        const optimizer = sgd(1);
        const options = { maxLr: 1, totalSteps: 10, pctStart: 0.1, annealStrategy: 'linear' as const };
        const found = rates(optimizer, new optim.OneCycleLR(optimizer, options), 10);
        assert.equal(found[0], 1);
        assert.ok(
            found.every((rate, i) => i === 0 || rate < found[i - 1]),
            String(found),
        );
    });

    it('say what is wrong with their arguments', () => {
        const optimizer = sgd(1);
        assert.throws(
            () => new optim.StepLR(optimizer, { stepSize: 0 }),
            /stepSize must be a positive integer/,
        );
        assert.throws(() => new optim.ExponentialLR(optimizer, { gamma: -1 }), /gamma/);
        assert.throws(() => new optim.CosineAnnealingLR(optimizer, { tMax: 1.5 }), /tMax/);
        assert.throws(
            () => new optim.LinearLR(optimizer, { startFactor: 0 }),
            /startFactor must be in \(0, 1\]/,
        );
        assert.throws(
            () => new optim.ReduceLROnPlateau(optimizer, { factor: 1 }),
            /factor must be in \(0, 1\)/,
        );
        assert.throws(() => new optim.ReduceLROnPlateau(optimizer).step(), /needs the metric/);
        const step = new optim.StepLR(optimizer, { stepSize: 1 });
        assert.throws(() => new optim.SequentialLR([step, step], { milestones: [] }), /need 1 ascending/);
        assert.throws(() => new optim.ChainedLR([]), /at least one/);
        assert.throws(
            () => new optim.ChainedLR([step, new optim.StepLR(sgd(1), { stepSize: 1 })]),
            /different/,
        );
        const plateau = new optim.ReduceLROnPlateau(optimizer);
        assert.throws(() => new optim.ChainedLR([step, plateau]), /cannot be combined/);
        assert.throws(
            () => new optim.OneCycleLR(optimizer, { maxLr: [1, 2], totalSteps: 5 }),
            /2 values for 1/,
        );
    });

    it('take their options in an object, under their names', () => {
        const optimizer = sgd(1);
        const step = new optim.StepLR(optimizer, { stepSize: 1 });
        /** As JavaScript calls them, without types. */
        const made: [string, (options: never) => unknown, name: string, likeness: string][] = [
            ['StepLR', (o) => new optim.StepLR(optimizer, o), 'stepSize', 'step_size'],
            ['ExponentialLR', (o) => new optim.ExponentialLR(optimizer, o), 'gamma', 'Gamma'],
            ['CosineAnnealingLR', (o) => new optim.CosineAnnealingLR(optimizer, o), 'tMax', 'T_max'],
            ['LinearLR', (o) => new optim.LinearLR(optimizer, o), 'startFactor', 'start_factor'],
            ['SequentialLR', (o) => new optim.SequentialLR([step], o), 'milestones', 'milestone'],
            ['OneCycleLR', (o) => new optim.OneCycleLR(optimizer, o), 'maxLr', 'max_lr'],
            ['ReduceLROnPlateau', (o) => new optim.ReduceLROnPlateau(optimizer, o), 'patience', 'patiense'],
        ];
        for (const [label, make, name, likeness] of made) {
            const says = (options: unknown, message: RegExp): void =>
                assert.throws(
                    () => make(options as never),
                    (error: Error) => error.message.startsWith(`[${label}] `) && message.test(error.message),
                );
            says(5, /options must be an object such as \{ \w+ \}, got (the number )?5/);
            says({ [likeness]: 1 }, new RegExp(`unknown option '${likeness}'; did you mean '${name}'`));
        }
        assert.throws(
            () => new optim.SequentialLR([step], {} as never),
            /milestones must be a list of steps/,
        );
        assert.throws(
            () => new optim.LambdaLR(optimizer, 0.5 as never),
            /must be a function \(step\) => number/,
        );
    });
});
