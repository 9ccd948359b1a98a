import assert from 'node:assert/strict';
import { reportOfChild } from '../support/child.js';

describe('the times of a profile', () => {
    it("are the device's where the host takes longer to launch than a kernel to run, in long programs, too", () => {
        const times = reportOfChild(
            `const step = library.capture((x) => {
                let y = x;
                for (let i = 0; i < 70; i++) y = y.cumsum(0);
                return y;
            });
            const x = library.ones([4], { device: 'cuda' });
            step(x);
            report(step.profile(1, x).map(({ milliseconds }) => milliseconds));`,
            { NATIVEGRAD_CUDA_SIM_SETUP: 'launch_cost=10' },
        ) as number[];
        assert.equal(times.length, 70);
        // One may have met another process of the machine.
        const long = times.filter((milliseconds) => milliseconds >= 10);
        assert.ok(long.length <= 2, `milliseconds: ${times.join(' ')}`);
        assert.ok(times.every((milliseconds) => milliseconds > 0));
    });
});
