import assert from 'node:assert/strict';
import {
    autocast,
    capture,
    captureModels,
    manualSeed,
    nn,
    noGrad,
    ones,
    optim,
    randint,
    randn,
    tensor,
    zeros,
    type Tensor,
} from '../../lib/index.js';

type Captured = (...inputs: Tensor[]) => unknown;

/** Why the program was made that the last call has used. */
const reasonOf = (step: Captured & { statistics: { programs: readonly { reason: string }[] } }): string =>
    step.statistics.programs[0]?.reason ?? 'there is none';

function training(makeOptimizer = (p: Tensor[]): optim.Optimizer => new optim.SGD(p, { lr: 0.1 })) {
    manualSeed(1);
    const model = new nn.Sequential(
        new nn.Linear(3, 4),
        new nn.BatchNorm1d(4),
        new nn.Dropout(0.5),
        new nn.Linear(4, 2),
    );
    const optimizer = makeOptimizer(model.parameters());
    const step = capture((x: Tensor, y: Tensor) => {
        optimizer.zeroGrad();
        const loss = nn.crossEntropy(model.forward(x), y);
        loss.backward();
        optimizer.step();
        return loss;
    });
    const [x, y] = [randn([5, 3]), randint(0, 2, [5])];
    step(x, y);
    assert.equal(reasonOf(step), 'it is the first');
    return { model, optimizer, step, again: () => (step(x, y), reasonOf(step)) };
}

/** The next warning of programs that are made over and over; other warnings may come meanwhile. */
function recaptureWarning(): Promise<Error> {
    return new Promise((resolve) => {
        const take = (warning: Error): void => {
            if (!('code' in warning) || warning.code !== 'NATIVEGRAD_RECAPTURE') return;
            process.off('warning', take);
            resolve(warning);
        };
        process.on('warning', take);
    });
}

describe('a captured step says why it made another program', () => {
    it('of inputs: shape, dtype, strides, number, and which of them are the same', () => {
        const step = capture((...inputs: Tensor[]) => inputs[0]?.add(1));
        const reason = (...inputs: Tensor[]): string => (step(...inputs), reasonOf(step));
        assert.equal(reason(zeros([2, 3]), zeros([4])), 'it is the first');
        assert.equal(reason(zeros([2, 3]), zeros([5])), 'input 1 changed from [4] to [5]');
        assert.equal(
            reason(zeros([2, 3], { dtype: 'float64' }), zeros([5])),
            'input 0 changed from float32 to float64',
        );
        assert.equal(
            reason(zeros([3, 2], { dtype: 'float64' }).transpose(0, 1), zeros([5])),
            'input 0 changed from strides [3, 1] to strides [1, 2]',
        );
        assert.equal(reason(zeros([1])), 'the number of inputs changed from 2 to 1');
        const x = zeros([1]);
        assert.match(reason(x, zeros([1])), /the number of inputs changed from 1 to 2/);
        assert.equal(reason(x, x), 'input 1 is, or is no longer, the same tensor as another input');
        assert.equal(step.statistics.captures, 7);
        // What fits is used, with the reason that it was made for.
        assert.equal(reason(zeros([2, 3]), zeros([5])), 'input 1 changed from [4] to [5]');
        assert.equal(step.statistics.captures, 7);
    });

    it('of modes around it', () => {
        const step = capture((x: Tensor) => x.matmul(x));
        const x = ones([2, 2]);
        step(x);
        noGrad(() => step(x));
        assert.equal(reasonOf(step), 'gradients are off now');
        step(x);
        autocast('bfloat16', () => step(x));
        assert.equal(reasonOf(step), 'autocast is bfloat16 now');
    });

    it('of memory that inputs share with what it writes', () => {
        const state = ones([4]);
        const step = capture((x: Tensor) => state.add_(x));
        step(ones([4]));
        step(state.slice(0, 0, 4));
        assert.equal(reasonOf(step), 'an input shares memory with what the step writes now');
    });

    it('of the model: its mode, its parts, what is frozen, hooks', () => {
        const { model, again } = training();
        model.eval();
        assert.equal(again(), "BatchNorm1d '1' is in eval mode now");
        model.train();
        assert.equal(again(), 'it is the first');
        const [first, , dropout, last] = model.children();
        assert.ok(first instanceof nn.Linear && last instanceof nn.Linear && dropout instanceof nn.Dropout);
        first.weight.requiresGrad = false;
        assert.equal(again(), "parameter 'weight' of Linear '0' requires no gradient any more");
        first.weight.requiresGrad = true;
        assert.equal(again(), 'it is the first');
        Object.assign(dropout, { p: 0 });
        assert.equal(again(), 'Dropout has p 0 now');
        const remove = first.registerForwardHook((_module, _inputs, output) => output);
        assert.equal(again(), "a hook of Linear '0' is another one now");
        remove();
        again();
        Object.assign(last, { bias: new nn.Parameter(tensor([1, 2])) });
        assert.equal(again(), "parameter 'bias' of Linear '3' is another one now");
    });

    it('of the optimizer: its groups and what its kernels depend on', () => {
        for (const [make, change, reason] of [
            [
                (p) => new optim.Adam(p),
                ({ paramGroups: [group] }) => group && Object.assign(group, { amsgrad: true }),
                /^Adam has amsgrad true now$/,
            ],
            [
                (p) => new optim.SGD(p, { lr: 0.1 }),
                ({ paramGroups: [group] }) => group && Object.assign(group, { momentum: 0.5 }),
                /^SGD has nesterov false and momentum 0.5 now$/,
            ],
            [
                (p) => new optim.RMSprop(p),
                ({ paramGroups: [group] }) => group && Object.assign(group, { centered: true }),
                /^RMSprop has centered true and momentum 0 now$/,
            ],
            [
                (p) => new optim.SGD(p, { lr: 0.1 }),
                (optimizer) => {
                    optimizer.addParamGroup({ params: [new nn.Parameter(zeros([1]))] });
                },
                /^the parameters or groups of SGD are others now$/,
            ],
        ] as const satisfies [(p: Tensor[]) => optim.Optimizer, (o: optim.Optimizer) => unknown, RegExp][]) {
            const { optimizer, again } = training(make);
            change(optimizer);
            assert.match(again(), reason);
        }
    });

    it('of gradients from before, and of hooks on leaves', () => {
        const weight = new nn.Parameter(ones([2]));
        const step = capture((x: Tensor) => {
            const y = weight.mul(x).sum();
            y.backward();
            return y;
        });
        step(ones([2]));
        step(ones([2]));
        assert.equal(reasonOf(step), 'a parameter of shape [2] has a gradient before the step now');
        const layer = new nn.Linear(2, 1);
        const ofLayer = capture((x: Tensor) => layer.forward(x).sum().backward());
        ofLayer(ones([1, 2]));
        ofLayer(ones([1, 2]));
        assert.equal(reasonOf(ofLayer), "parameter 'weight' of Linear has a gradient before the step now");
        const remove = weight.registerHook(() => undefined);
        step(ones([2]));
        assert.equal(reasonOf(step), 'a leaf of shape [2] has other hooks now');
        remove();
    });

    it('of each of several models, in the warning about many, and where a run ends early', async () => {
        const together = captureModels([(x: Tensor) => x.add(1), (x: Tensor) => x.add(2)]);
        together(ones([2]));
        together(ones([3]));
        assert.deepEqual(
            together.statistics.programs.map(({ model, reason }) => [model, reason]),
            [0, 1].flatMap((model) => [
                [model, 'input 0 changed from [2] to [3]'],
                [model, 'it is the first'],
            ]),
        );

        const warned = recaptureWarning();
        const step = capture((x: Tensor) => x.add(1));
        process.emitWarning('of something else');
        for (let size = 1; size < 12; size++) step(ones([size]));
        assert.match((await warned).message, /the last time since input 0 changed from \[8\] to \[9\];/);

        const layer = new nn.Dropout(0.5);
        const dropped = capture((x: Tensor) => layer.forward(x));
        await assert.rejects(
            dropped.run(4, [ones([4, 2])], { chunk: 2, onProgress: () => layer.eval() }),
            /was changed from outside after 2 steps: Dropout is in eval mode now/,
        );
    });
});
