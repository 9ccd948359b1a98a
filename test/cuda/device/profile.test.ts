import assert from 'node:assert/strict';
import { capture, ones, type Tensor } from '../../../lib/index.js';

describe('the profile of a captured step on a GPU', () => {
    it('says by its clock what each call takes, and what it moves', () => {
        const step = capture((x: Tensor) => x.matmul(x).softmax(1));
        const x = ones([64, 64], { device: 'cuda' });
        step(x);
        const calls = step.profile(5, x);
        const bytes = 64 * 64 * 4;
        assert.deepEqual(
            calls.map((call) => [call.op, call.bytes]),
            [
                ['matmul', 3 * bytes],
                ['softmax', 2 * bytes],
            ],
        );
        for (const { op, milliseconds } of calls)
            assert.ok(milliseconds > 0 && milliseconds < 10_000, `${op}: ${milliseconds} ms`);
        assert.equal(step(x).sum().item(), 64, 'steps run on as before');
    });

    it('counts of what a call picks from only what it picks', () => {
        const table = ones([1000, 8], { device: 'cuda' });
        const step = capture((rows: Tensor) => table.indexSelect(0, rows));
        const [call] = step.profile(1, ones([10], { dtype: 'int32', device: 'cuda' }));
        assert.equal(call.bytes, 10 * 8 * 4 + 10 * 4 + 10 * 8 * 4);
    });
});
