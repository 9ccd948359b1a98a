import assert from 'node:assert/strict';
import {
    autocast,
    capture,
    manualSeed,
    nn,
    noGrad,
    optim,
    randint,
    randn,
    setDefaultDevice,
    tensor,
    type CapturedStep,
    type Device,
    type Tensor,
} from '../../../lib/index.js';
import { native } from '../../../lib/native/addon.js';
import { deviceCode } from '../../../lib/tensor/device.js';

interface Scaled {
    readonly step: CapturedStep<[Tensor, Tensor], Tensor>;
    readonly state: () => unknown;
}

/** A network in float16 whose scale is too large at first, and grows again and again. */
function makeScaled(): Scaled {
    manualSeed(4);
    const model = new nn.Sequential(new nn.Linear(12, 16), new nn.ReLU(), new nn.Linear(16, 4));
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
    const scaler = new optim.GradScaler({ initScale: 2 ** 24, growthInterval: 4 });
    const step = capture((x: Tensor, y: Tensor) => {
        optimizer.zeroGrad();
        const loss = autocast('float16', () => nn.crossEntropy(model.forward(x), y));
        scaler.scale(loss).backward();
        scaler.step(optimizer, { maxNorm: 1 });
        scaler.update();
        return loss;
    });
    const state = (): unknown => [model.parameters().map((x) => x.toArray()), scaler.stateDict()];
    return { step, state };
}

/** Waits of the host, and copies to it, while `body` runs. */
async function waitsOf(body: () => unknown): Promise<{ hostWaits: number; copiesToHost: number }> {
    const code = deviceCode('test', 'cuda');
    const before = native.workCounts(code);
    await body();
    const after = native.workCounts(code);
    return {
        hostWaits: after.hostWaits - before.hostWaits,
        copiesToHost: after.copiesToHost - before.copiesToHost,
    };
}

describe('loss scaling in a captured step', () => {
    let former: Device = 'cpu';
    before(() => (former = setDefaultDevice('cuda')));
    after(() => setDefaultDevice(former));

    const steps = 30;
    function batches(): [Tensor, Tensor] {
        manualSeed(1);
        return [randn([steps, 6, 12]), randint(0, 4, [steps, 6])];
    }

    it('waits for nothing between the steps, whether they overflow or not', async () => {
        const { step, state } = makeScaled();
        const [xs, ys] = batches();
        const few = [xs.slice(0, 0, 2), ys.slice(0, 0, 2)] as [Tensor, Tensor];
        await step.run(2, few, { chunk: 2 });
        await step.run(steps, [xs, ys], { chunk: steps });
        const two = await waitsOf(() => step.run(2, few, { chunk: 2 }));
        const all = await waitsOf(() => step.run(steps, [xs, ys], { chunk: steps }));
        assert.deepEqual(
            [two, all],
            [
                { hostWaits: 1, copiesToHost: 0 },
                { hostWaits: 1, copiesToHost: 0 },
            ],
        );
        assert.deepEqual(
            step.statistics.programs.map(({ execution }) => execution),
            ['graph'],
        );
        const [, scaling] = state() as [unknown, optim.GradScalerState];
        assert.ok(scaling.skippedSteps > 5, String(scaling.skippedSteps));
    });

    it('has the bits of the same program call by call', async () => {
        const [graph, calls] = [makeScaled(), makeScaled()];
        const [xs, ys] = batches();
        await graph.step.run(steps, [xs, ys], { chunk: 7 });
        for (let i = 0; i < steps; i++) calls.step.profile(1, xs.select(0, i), ys.select(0, i));
        assert.deepEqual(graph.state(), calls.state());
    });

    it('refuses a loss on another device in the middle of an iteration', () => {
        const weights = new nn.Parameter(tensor([1]));
        const optimizer = new optim.SGD([weights], { lr: 1 });
        const scaler = new optim.GradScaler({ initScale: 8 });
        scaler.scale(weights.sum()).backward();
        scaler.unscale_(optimizer);
        assert.throws(
            () => scaler.scale(tensor(1, { device: 'cpu' })),
            /\[GradScaler\] scale\(\) of a loss on cpu between unscale_\(\) or step\(\) of an optimizer on cuda/,
        );
        scaler.step(optimizer);
        scaler.update();
        assert.equal(weights.item(), 0);
        assert.equal(scaler.scale(tensor(1, { device: 'cpu' })).item(), 8);
    });

    it('goes on where the model moves, scale, counts and skipped steps with it', () => {
        const train = (moves: boolean): unknown => {
            const weights = tensor([0.5, -1, 2], { device: 'cpu' });
            const model = new nn.Sequential(new nn.Linear(3, 1).to('cpu'));
            noGrad(() => model.parameters()[0]?.copy_(weights.reshape([1, 3])));
            const optimizer = new optim.Adam(model.parameters(), { lr: 0.1 });
            const scaler = new optim.GradScaler({ initScale: 8, growthInterval: 2 });
            for (let i = 0; i < 6; i++) {
                if (moves && i === 3) model.to('cuda');
                const device = moves && i >= 3 ? 'cuda' : 'cpu';
                const x = tensor([[1, 2, i === 1 || i === 4 ? NaN : 3]], { device });
                optimizer.zeroGrad();
                scaler.scale(model.forward(x).sum()).backward();
                scaler.step(optimizer);
                scaler.update();
            }
            const steps = Object.values(optimizer.stateDict().state).map(({ step }) => step);
            return [model.parameters()[0]?.to('cpu').toArray(), scaler.stateDict(), steps];
        };
        const [[weights, ...counts], [expected, ...expectedCounts]] = [true, false].map(train) as [
            [number[][], ...unknown[]],
            [number[][], ...unknown[]],
        ];
        assert.deepEqual(counts, expectedCounts);
        weights.flat().forEach((w, i) => assert.ok(Math.abs(w - (expected.flat()[i] ?? NaN)) < 1e-6));
    });
});
