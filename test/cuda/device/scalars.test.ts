import assert from 'node:assert/strict';
import {
    capture,
    add,
    data,
    maximum,
    nn,
    ones,
    optim,
    setDefaultDevice,
    tensor,
    train,
    where,
    zeros,
    type Device,
    type Tensor,
} from '../../../lib/index.js';

describe('a 0-d tensor on the CPU beside tensors on a GPU', () => {
    let former: Device = 'cpu';
    before(() => (former = setDefaultDevice('cpu')));
    after(() => setDefaultDevice(former));
    const x = (): Tensor => tensor([1, -2, 3], { device: 'cuda' });

    it('is an operand of elementwise ops, on either side', () => {
        const two = tensor(2);
        const cases: [() => Tensor, number[]][] = [
            [() => x().mul(two), [2, -4, 6]],
            [() => two.sub(x()), [1, 4, -1]],
            [() => maximum(two, x()), [2, 2, 3]],
            [() => x().pow(two), [1, 4, 9]],
            [() => x().gt(two), [0, 0, 1]],
            [() => two.gt(x()), [1, 1, 0]],
            [() => where(x().gt(0), two, x()), [2, -2, 2]],
            [() => where(x().gt(0), x(), two), [1, 2, 3]],
            [() => where(tensor(false), x(), two), [2, 2, 2]],
            [() => x().maskedFill(x().lt(0), two), [1, 2, 3]],
            [() => x().add_(two), [3, 0, 5]],
            [() => x().maskedFill_(x().lt(0), two), [1, 2, 3]],
            [() => x().copy_(two), [2, 2, 2]],
            // A fraction of a higher category decides the dtype, as on one device.
            [() => x().to('int32').mul(tensor(0.5)), [0.5, -1, 1.5]],
        ];
        for (const [compute, expected] of cases) {
            const y = compute();
            assert.equal(y.device, 'cuda:0', compute.toString());
            assert.deepEqual(y.toArray(), expected, compute.toString());
        }
        assert.equal(add(tensor(1), tensor(2, { device: 'cuda' })).device, 'cuda:0');
        assert.equal(
            x()
                .to('float16')
                .mul(tensor(2, { dtype: 'float64' })).dtype,
            'float16',
        );
        assert.equal(two.device, 'cpu');
    });

    it('gets its gradient on the CPU', () => {
        const scale = tensor(2, { requiresGrad: true });
        const shift = tensor(1, { requiresGrad: true });
        const weight = tensor([1, -2, 3], { device: 'cuda', requiresGrad: true });
        where(weight.gt(0), weight.mul(scale), shift).add(shift).sum().backward();
        assert.deepEqual(
            [scale, shift, weight].map(({ grad }) => [grad?.device, grad?.toArray()]),
            [
                ['cpu', 4],
                ['cpu', 4],
                ['cuda:0', [2, 0, 2]],
            ],
        );
    });

    it('is no other tensor: those are refused as before', () => {
        const refused = /the tensors are on different devices/;
        assert.throws(() => x().add(tensor([1])), refused);
        assert.throws(() => tensor([1, 2]).add(tensor(1, { device: 'cuda' })), refused);
        assert.throws(() => zeros([2]).add_(tensor(1, { device: 'cuda' })), refused);
        assert.throws(() => tensor(1).add_(tensor(1, { device: 'cuda' })), refused);
        assert.throws(() => where(tensor([true, true, false]), x(), x()), refused);
        assert.throws(() => x().matmul(tensor(1)), /\[matmul\]/);
        assert.throws(() => x().add(ones([3])), refused);
    });

    it('is refused by its place in a captured step, whose program runs on one device', () => {
        const two = tensor(2);
        const refused = {
            name: 'CaptureError',
            message:
                /^\[capture\] a tensor of shape \[\] on cpu is used on cuda:0 at .*scalars\.test\.ts:\d+:\d+; a captured step works on one device: move the tensor there before the step, with x\.to\('cuda:0'\)$/,
        };
        assert.throws(() => capture((a: Tensor) => a.mul(two))(x()), refused);
        assert.throws(() => capture((a: Tensor, b: Tensor) => a.mul(b))(x(), two), refused);
    });

    it('lets the Trainer go op by op, with the reason', async () => {
        const half = tensor(0.5);
        const model = new nn.Linear(2, 2).to('cuda');
        const trainer = new train.Trainer({
            model,
            optimizer: new optim.SGD(model.parameters(), { lr: 0.1 }),
            loss: (logits, labels) => nn.crossEntropy(logits, labels).mul(half),
        });
        const labels = tensor([0, 1, 0, 1], { dtype: 'int32' });
        const samples = new data.TensorDataset(ones([4, 2]), labels);
        const history = await trainer.fit(new data.DataLoader(samples, { batchSize: 2 }), { epochs: 1 });
        assert.match(JSON.stringify(history.execution), /on cpu is used on cuda:0/);
    });
});
