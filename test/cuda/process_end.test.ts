import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { runChild } from '../support/child.js';

describe('a process that ends', () => {
    before(() => assert.ok(existsSync(process.env.NATIVEGRAD_CUDA ?? ''), 'run this by npm run test:sim'));

    it('in the middle of captured steps on another thread does so without a crash', () => {
        for (const delay of [0, 3, 10, 31]) {
            const { status, signal, stdout, stderr } = runChild(
                `
                const x = library.ones([40, 50, 16], { device: 'cuda' });
                const w = library.ones([16, 16], { device: 'cuda' });
                const step = library.capture((rows) => rows.matmul(w).relu().softmax(1).sum());
                step(x.select(0, 0));
                void step.run(40, [x], { chunk: 40 }).then(() => console.log('too late'), () => undefined);
                setTimeout(() => process.exit(7), ${delay});`,
                // So that the steps are not done before a timer that fires late.
                { NATIVEGRAD_CUDA_SIM_SETUP: 'slow=20' },
            );
            assert.deepEqual([status, signal, stdout], [7, null, ''], stderr);
        }
    });
});
