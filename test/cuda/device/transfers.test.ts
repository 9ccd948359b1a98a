import assert from 'node:assert/strict';
import { nn, randn, setDefaultDevice, tensor, zeros, type Device } from '../../../lib/index.js';
import { dtypes } from '../../../lib/tensor/dtype.js';

describe('from one device to another', () => {
    let former: Device = 'cpu';
    before(() => (former = setDefaultDevice('cpu')));
    after(() => setDefaultDevice(former));

    it('copy_ and loadStateDict bring elements', () => {
        const x = zeros([2, 2], { device: 'cuda' });
        assert.deepEqual(x.copy_(tensor([5, 6], { dtype: 'int32' })).toArray(), [
            [5, 6],
            [5, 6],
        ]);
        assert.deepEqual(zeros([2]).copy_(x.select(0, 1)).toArray(), [5, 6]);

        const [model, moved] = [new nn.Linear(3, 2), new nn.Linear(3, 2).to('cuda')];
        moved.loadStateDict(model.stateDict());
        assert.equal(moved.weight.device, 'cuda:0');
        assert.deepEqual(moved.weight.toArray(), model.weight.toArray());
    });

    it('gradients find their way back', () => {
        const x = tensor([1, 2, 3], { requiresGrad: true });
        const y = x.to('cuda').mul(2);
        assert.equal(y.device, 'cuda:0');
        y.mul(y).sum().to('cpu').backward();
        assert.equal(x.grad?.device, 'cpu');
        assert.deepEqual(x.grad?.toArray(), [8, 16, 24]);
    });

    it('every dtype keeps its bits', () => {
        for (const dtype of dtypes) {
            const x = randn([3, 4, 5]).mul(40).abs().to(dtype).transpose(0, 2);
            assert.deepEqual(x.to('cuda').to('cpu').toArray(), x.toArray(), dtype);
        }
    });
});
