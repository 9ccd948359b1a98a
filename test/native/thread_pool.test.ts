import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { setThreads, threads } from '../../lib/index.js';
import { checksums } from './thread_pool_work.js';

const workerFile = new URL('./thread_pool_worker.mjs', import.meta.url);

function computeInWorker(rounds: number): Promise<string[]> {
    return new Promise((resolve, reject) => {
        const worker = new Worker(workerFile, { workerData: { rounds } });
        worker.once('message', resolve);
        worker.once('error', reject);
    });
}

describe('thread pool', function () {
    this.timeout(60_000);
    const before = threads();
    const rounds = 40;

    afterEach(() => {
        setThreads(before);
    });

    it('gives the same bits for any number of threads', () => {
        setThreads(1);
        const expected = checksums(4);
        for (const count of [2, 3, 8]) {
            setThreads(count);
            assert.deepEqual(checksums(4), expected);
        }
    });

    it('gives two workers that compute at once the bits of a lone one', async () => {
        setThreads(2);
        const expected = checksums(rounds);
        const results = await Promise.all([computeInWorker(rounds), computeInWorker(rounds)]);
        for (const result of results) assert.deepEqual(result, expected);
    });

    it('takes another number of threads while workers compute', async () => {
        setThreads(2);
        const expected = checksums(rounds);
        let done = false;
        const running = Promise.all([computeInWorker(rounds), computeInWorker(rounds)]).finally(() => {
            done = true;
        });
        for (let count = 1; !done; count = (count % 4) + 1) {
            setThreads(count);
            assert.equal(threads(), count);
            await sleep(2);
        }
        for (const result of await running) assert.deepEqual(result, expected);
    });
});
