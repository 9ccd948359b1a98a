import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { ones, scope } from '../../../lib/index.js';

// TypeScript as it is: where GPUs are, there need not be a compiler.
const urls = {
    tsx: import.meta.resolve('tsx/esm/api'),
    library: new URL('../../../lib/index.ts', import.meta.url).href,
};

function start(body: string): Worker {
    const script = `
        import { parentPort, workerData } from 'node:worker_threads';
        (await import(workerData.tsx)).register();
        const { ones, scope } = await import(workerData.library);
        ${body}`;
    return new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), {
        workerData: urls,
        execArgv: [],
    });
}

describe('a GPU', () => {
    it('serves worker threads at once, each by a queue of its own', async () => {
        const body = `
            const x = ones([50, 40], { device: 'cuda' });
            let sum = 0;
            for (let i = 1; i <= 20; i++) sum += scope(() => x.mul(i).sum()).item();
            parentPort.postMessage(sum);`;
        const sums = await Promise.all(
            [start(body), start(body), start(body)].map(async (worker) => {
                // Listened for from the start: it may come right behind the message.
                const exit = once(worker, 'exit');
                const [sum] = (await once(worker, 'message')) as [number];
                await exit;
                return sum;
            }),
        );
        assert.deepEqual(sums, [420_000, 420_000, 420_000]);
        assert.equal(scope(() => ones([3], { device: 'cuda' }).sum()).item(), 3);
    });

    it('goes on when a worker thread is ended in the middle of its work', async () => {
        const body = `
            const x = ones([1 << 20], { device: 'cuda' });
            for (let i = 0; i < 5; i++) x.add(i).data();
            parentPort.postMessage(0);`;
        const worker = start(body);
        await once(worker, 'message');
        await worker.terminate();
        assert.equal(ones([2], { device: 'cuda' }).sum().item(), 2);
    });
});
