import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { ones } from '../../lib/index.js';
import { compiledEnvironment, compiledLibrary } from '../support/compiled.js';

const script = new URL('../support/train_worker.mjs', import.meta.url);

interface Result {
    loss: number;
    bits: number[];
}

function startWorker(steps: number): Worker {
    return new Worker(script, {
        workerData: { library: compiledLibrary(), steps },
        env: compiledEnvironment(),
        // Without the TypeScript loader of the test run.
        execArgv: [],
    });
}

async function result(worker: Worker): Promise<Result> {
    for (;;) {
        const [message] = (await once(worker, 'message')) as [Result | 'ready'];
        if (message !== 'ready') {
            await worker.terminate();
            return message;
        }
    }
}

describe('worker threads', () => {
    before(() => void compiledLibrary());

    it('train in two at once with the bits of a lone one', async () => {
        const alone = await result(startWorker(200));
        const both = await Promise.all([result(startWorker(200)), result(startWorker(200))]);
        assert.deepEqual(both[0], alone);
        assert.deepEqual(both[1], alone);
        assert.ok(Number.isFinite(alone.loss));
    });

    it('can be terminated in the middle of a step, 200 times', async () => {
        for (let round = 0; round < 200; round++) {
            const worker = startWorker(1e9);
            await once(worker, 'message');
            await new Promise((resolve) => setTimeout(resolve, (round * 7) % 11));
            assert.equal(await worker.terminate(), 1);
        }
        assert.deepEqual(ones([2]).add(1).toArray(), [2, 2]);
    });

    it('that throw, or exit by themselves, leave the process alive', async () => {
        const library = JSON.stringify(compiledLibrary());
        for (const end of ['process.exit(3)', 'throw new Error("boom")']) {
            const source = `const ng = await import(${library}); ng.ones([1000]).mul(2); ${end};`;
            const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
                env: compiledEnvironment(),
                execArgv: [],
            });
            worker.on('error', () => undefined);
            const code = await new Promise<number>((resolve) => worker.on('exit', resolve));
            assert.notEqual(code, 0);
        }
        assert.equal(ones([3]).sum().item(), 3);
    });
});
