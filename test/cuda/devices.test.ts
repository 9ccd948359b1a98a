import assert from 'node:assert/strict';
import {
    cuda,
    defaultDevice,
    manualSeed,
    nn,
    ones,
    optim,
    randn,
    setDefaultDevice,
    tensor,
    zeros,
    type Device,
} from '../../lib/index.js';
import { dtypes } from '../../lib/tensor/dtype.js';

describe('devices', () => {
    before(() => {
        assert.equal(defaultDevice(), 'cpu');
        assert.equal(cuda.unavailableReason(), undefined, 'run this by npm run test:sim');
    });
    afterEach(() => void setDefaultDevice('cpu'));

    it('are counted and described', () => {
        assert.equal(cuda.deviceCount(), 2);
        assert.ok(cuda.deviceInfo('cuda:1').name.length > 0);
        assert.equal(ones([1], { device: 'cuda' }).device, 'cuda:0');
    });

    it('that are not there are refused', () => {
        assert.throws(
            () => ones([1], { device: 'cuda:9' }),
            /^RangeError: .*there is no device 'cuda:9': this process sees 2 GPUs, 'cuda:0' to 'cuda:1'/,
        );
        assert.throws(() => ones([1]).to('cuda:2'), /there is no device 'cuda:2'/);
        for (const call of [cuda.memoryInfo, cuda.deviceInfo])
            assert.throws(
                () => call('cpu'),
                new RegExp(
                    `^RangeError: \\[cuda\\.${call.name}\\] expected a GPU, 'cuda' or 'cuda:1', got 'cpu'`,
                ),
            );
    });

    it('do not mix in one op', () => {
        const [x, y] = [ones([2]), ones([2], { device: 'cuda' })];
        assert.throws(
            () => x.add(y),
            /\[add\] the tensors are on different devices, cpu and cuda:0; move one with x\.to/,
        );
        assert.throws(() => y.add(y.to('cuda:1')), /on different devices, cuda:0 and cuda:1/);
        assert.deepEqual(y.add(1).toArray(), [2, 2]);
    });

    it('are crossed by to(), and so are gradients', () => {
        const x = tensor([1, 2, 3], { requiresGrad: true });
        const y = x.to('cuda').mul(2);
        assert.equal(y.device, 'cuda:0');
        const loss = y.to('cuda:1').mul(y.to('cuda:1')).sum().to('cpu');
        assert.equal(loss.item(), 56);
        loss.backward();
        assert.equal(x.grad?.device, 'cpu');
        assert.deepEqual(x.grad?.toArray(), [8, 16, 24]);

        const weight = tensor([3, 4], { device: 'cuda', requiresGrad: true });
        weight
            .to('cpu')
            .mul(tensor([5, 6]))
            .sum()
            .backward();
        assert.equal(weight.grad?.device, 'cuda:0');
        assert.deepEqual(weight.grad?.toArray(), [5, 6]);
    });

    it('are changed in the middle of a training: the state of the optimizer follows', () => {
        const losses = (devices: readonly Device[]): number[] => {
            manualSeed(3);
            const model = new nn.Linear(3, 1);
            const optimizer = new optim.Adam(model.parameters(), { lr: 0.1 });
            return devices.map((device) => {
                model.to(device);
                optimizer.zeroGrad();
                const loss = model
                    .forward(ones([2, 3], { device }))
                    .square()
                    .mean();
                loss.backward();
                optimizer.step();
                return loss.item();
            });
        };
        const stayed = losses(['cpu', 'cpu', 'cpu', 'cpu']);
        losses(['cpu', 'cuda', 'cuda:1', 'cpu']).forEach((loss, i) => {
            assert.ok(Math.abs(loss - stayed[i]) < 1e-5 * stayed[i], `step ${i}: ${loss} and ${stayed[i]}`);
        });
    });

    it('keep the bits of every dtype on the way', () => {
        for (const dtype of dtypes) {
            const x = randn([3, 4, 5]).mul(40).abs().to(dtype).transpose(0, 2);
            assert.deepEqual(x.to('cuda').to('cuda:1').to('cpu').toArray(), x.toArray(), dtype);
        }
    });

    it('become the default by setDefaultDevice', () => {
        assert.equal(setDefaultDevice('cuda:1'), 'cpu');
        assert.equal(zeros([2]).device, 'cuda:1');
        assert.equal(zeros([2], { device: 'cpu' }).device, 'cpu');
        assert.equal(setDefaultDevice('cpu'), 'cuda:1');
        assert.equal(zeros([2]).device, 'cpu');
        assert.equal(setDefaultDevice('cpu'), 'cpu');
    });
});
