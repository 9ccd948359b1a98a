import assert from 'node:assert/strict';
import {
    emptyCache,
    memory,
    ones,
    randn,
    setDefaultDevice,
    setMemoryLimit,
    zeros,
    type Device,
    type Tensor,
} from '../../../lib/index.js';

const kilobytes = 1024;

/** Lets the tensors behind it die. */
function makeGarbage(x: Tensor, count: number): void {
    for (let i = 0; i < count; i++) x.add(i);
}

describe('memory of a GPU that ends', () => {
    let former: Device = 'cpu';
    before(() => (former = setDefaultDevice('cpu')));
    after(() => setDefaultDevice(former));
    beforeEach(() => void emptyCache('cuda'));
    afterEach(() => setMemoryLimit(0, 'cuda'));

    it('is told with the sizes, and the tensors that are there work on', () => {
        const held = zeros([1000], { device: 'cuda' });
        setMemoryLimit(1 << 20, 'cuda');
        assert.throws(
            () => zeros([1 << 20], { device: 'cuda' }),
            /out of memory on cuda:0: asked for 4194304 bytes while \d+ tensors hold \d+ bytes \(of \d+ bytes the device has \d+ free, this process holds \d+ and keeps \d+ for reuse, its limit is 1048576\); dispose/,
        );
        assert.equal(held.add(1).sum().item(), 1000);
        setMemoryLimit(0, 'cuda');
        assert.equal(zeros([1 << 20], { device: 'cuda' }).shape[0], 1 << 20);
    });

    it('holds a loop without dispose', () => {
        emptyCache('cuda');
        const limit = 8 << 20;
        setMemoryLimit(limit, 'cuda');
        let x = ones([65_536], { device: 'cuda' });
        for (let i = 0; i < 100; i++) x = x.add(1);
        assert.equal(x.dataSync()[65_535], 101);
        const { liveBytes } = memory('cuda');
        assert.ok(liveBytes <= limit, `${liveBytes} bytes are alive`);
    });

    it('has what died collected for a work buffer, in the middle of an op', () => {
        const x = ones([64 * kilobytes], { device: 'cuda' });
        setMemoryLimit(memory('cuda').liveBytes + 1792 * kilobytes, 'cuda');
        makeGarbage(x, 5);
        const { collections, sweeps } = memory('cuda');
        // The results are small; the row is sorted in a work buffer, which does not fit beside the garbage.
        const [values] = x.topk(1);
        assert.equal(values.item(), 1);
        // A sweep is enough where V8 has collected the garbage by itself.
        const after = memory('cuda');
        assert.ok(after.collections > collections || after.sweeps > sweeps, 'nothing was collected');
    });

    it('tells the op and the sizes where a work buffer finds no room, and works on', () => {
        const x = randn([64 * kilobytes], { device: 'cuda' });
        setMemoryLimit(memory('cuda').liveBytes + 512 * kilobytes, 'cuda');
        assert.throws(
            () => x.topk(1),
            /^Error: \[\w+\] out of memory on cuda:0: asked for \d+ bytes for a work buffer \(of \d+ bytes the device has \d+ free, this process holds \d+ and keeps \d+ for reuse, its limit is \d+\); dispose/,
        );
        assert.throws(() => x.topk(1), { code: 'ERR_NATIVEGRAD_OUT_OF_MEMORY' });
        assert.equal(x.sub(x).abs().sum().item(), 0);
    });
});
