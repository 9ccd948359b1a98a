import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
    cuda,
    loadTensors,
    nn,
    ones,
    saveTensors,
    setDefaultDevice,
    tensor,
    zeros,
    type Device,
} from '../../../lib/index.js';
import { useTemporaryFolder } from '../../support/temporary_folder.js';

describe('where tensors lie', () => {
    const folder = useTemporaryFolder();
    let former: Device = 'cpu';
    before(() => (former = setDefaultDevice('cpu')));
    after(() => setDefaultDevice(former));

    it('is printed of those on a GPU', () => {
        assert.equal(String(ones([2])), 'Tensor([1., 1.], shape=[2], dtype=float32)');
        const x = ones([2], { device: 'cuda' });
        assert.equal(String(x), "Tensor([1., 1.], shape=[2], dtype=float32, device='cuda:0')");
        assert.match(String(zeros([0], { device: 'cuda' })), /device='cuda:0'\)$/);
        x.dispose();
        assert.match(String(x), /^Tensor\(disposed, .*device='cuda:0'\)$/);
    });

    it('is an option of what reads files', async () => {
        const path = join(folder(), 'tensors.safetensors');
        await saveTensors(path, { w: tensor([1, 2]) });
        const { tensors } = await loadTensors(path, { device: 'cuda' });
        assert.equal(tensors.get('w')?.device, 'cuda:0');
        assert.deepEqual(tensors.get('w')?.toArray(), [1, 2]);

        const file = join(folder(), 'model.safetensors');
        const model = new nn.Sequential(new nn.Linear(3, 4), new nn.BatchNorm1d(4));
        await nn.saveModel(file, model);
        const { model: copy } = await nn.loadModel(file, { device: 'cuda' });
        const all = [...copy.parameters(), ...copy.buffers()];
        assert.ok(all.length >= 6 && all.every(({ device }) => device === 'cuda:0'));
        const x = ones([2, 3]);
        const [near, far] = [model.eval().forward(x), copy.forward(x.to('cuda'))];
        near.dataSync().forEach((value, i) =>
            assert.ok(Math.abs(Number(value) - Number(far.dataSync()[i])) < 1e-5),
        );
        const [onnx, onnxFar] = [join(folder(), 'near.onnx'), join(folder(), 'far.onnx')];
        await nn.exportOnnx(model, onnx, { inputShape: [3] });
        await nn.exportOnnx(copy, onnxFar, { inputShape: [3] });
        assert.deepEqual(readFileSync(onnxFar), readFileSync(onnx));
        const { model: third } = await nn.loadOnnx(onnx, { device: 'cuda' });
        assert.ok([...third.parameters(), ...third.buffers()].every(({ device }) => device === 'cuda:0'));
        assert.deepEqual(third.forward(x.to('cuda')).toArray(), far.toArray());
        // Without the option, as ever: on the default device.
        assert.ok((await nn.loadModel(file)).model.parameters().every(({ device }) => device === 'cpu'));
        await assert.rejects(nn.loadModel(file, { device: 'cuda:99' }), /\[loadModel\] there is no device/);
        await assert.rejects(loadTensors(path, { device: 'cuda:99' }), /\[loadTensors\] there is no device/);
    });

    it('may be a number for the functions of cuda', () => {
        assert.deepEqual(cuda.deviceInfo(0), cuda.deviceInfo('cuda:0'));
        assert.equal(cuda.memoryInfo(0).totalBytes, cuda.memoryInfo('cuda').totalBytes);
        cuda.synchronize(0);
        assert.throws(() => cuda.deviceInfo(99), /\[cuda\.deviceInfo\] there is no device 'cuda:99'/);
        for (const wrong of [-1, 0.5, NaN])
            assert.throws(() => cuda.deviceInfo(wrong), /\[cuda\.deviceInfo\] unknown device/);
    });

    it('is refused in the name of the function that was called', () => {
        assert.throws(() => ones([1], { device: 'cuda:99' }), /\[ones\] there is no device 'cuda:99'/);
    });
});
