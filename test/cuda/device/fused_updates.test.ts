import assert from 'node:assert/strict';
import { capture, manualSeed, nn, optim, randn, setDefaultDevice, type Device } from '../../../lib/index.js';

describe('the optimizer in the weight gradients of a GPU', () => {
    let former: Device = 'cpu';
    before(() => (former = setDefaultDevice('cuda')));
    after(() => setDefaultDevice(former));

    for (const [name, batch, inputs, outputs] of [
        ['few rows', 4, 1700, 10],
        ['a large product', 128, 513, 256],
    ] as const)
        it(`is a call less, also where the CPU makes two: ${name}`, () => {
            manualSeed(2);
            const model = new nn.Linear(inputs, outputs);
            const optimizer = new optim.Adam(model.parameters());
            const step = capture(
                (x) => {
                    optimizer.zeroGrad();
                    model.forward(x).square().mean().backward();
                    optimizer.step();
                },
                { gradients: false },
            );
            const x = randn([batch, inputs]);
            step(x);
            const updates = step.profile(1, x).filter(({ op }) => /weight|adam/.test(op));
            assert.deepEqual(
                updates.map(({ op }) => op),
                ['linear_backward_weight_adam'],
            );
        });
});
