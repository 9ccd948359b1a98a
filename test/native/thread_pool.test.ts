import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { capture, setThreads, threads, zeros, type Tensor } from '../../lib/index.js';
import { native } from '../../lib/native/addon.js';
import { checksums } from './thread_pool_work.js';

/** Numbers of the processors that this process may use, from a list such as 0-3,8. */
function allowedProcessors(): number[] {
    const [, list = ''] =
        /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    return list.split(',').map((range) => Number.parseInt(range, 10));
}

/** The lists of processors of all threads of this process. */
function threadAffinities(): string[] {
    return readdirSync('/proc/self/task').map((id) => {
        const status = readFileSync(`/proc/self/task/${id}/status`, 'utf8');
        return /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '';
    });
}

const threadIds = (): string => readdirSync('/proc/self/task').join();

/** The ids of the threads of this process, once the kernel lists none any more that has ended. */
async function settledThreadIds(): Promise<string> {
    let now = threadIds();
    for (let same = 0; same < 5;) {
        await sleep(10);
        const next = threadIds();
        same = next === now ? same + 1 : 0;
        now = next;
    }
    return now;
}

const workerFile = new URL('./thread_pool_worker.mjs', import.meta.url);

function computeInWorker(rounds: number): Promise<string[]> {
    return new Promise((resolve, reject) => {
        const worker = new Worker(workerFile, { workerData: { rounds } });
        worker.once('message', resolve);
        worker.once('error', reject);
    });
}

describe('thread pool', () => {
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

    it('gives the same bits however threads wait', () => {
        setThreads(1);
        const expected = checksums(4);
        for (const spinMicroseconds of [0, 1, 5000]) {
            setThreads(3, { spinMicroseconds });
            assert.deepEqual(checksums(4), expected);
        }
    });

    it('refuses options that make no sense, and keeps what was set', () => {
        setThreads(2, { spinMicroseconds: 7 });
        const refused = [
            [() => setThreads(0), /\[setThreads\] expected 1 to 1024 threads, got 0/],
            [() => setThreads(2, { spinMicroseconds: -1 }), /spinMicroseconds must be an integer from 0/],
            [() => setThreads(2, { processors: [0.5] }), /a list of processor numbers/],
            [() => setThreads(2, { processors: [4095] }), /processor 4095|cannot be bound/],
            [() => setThreads(2, { spinMicrosecond: 1 } as object), /spinMicroseconds/],
        ] as const;
        for (const [call, message] of refused) assert.throws(call, message);
        assert.equal(native.threadOptions().count, 2);
        assert.equal(native.threadOptions().spinMicroseconds, 7);
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

    // What /proc tells of threads.
    if (process.platform === 'linux') {
        it('keeps its threads where the options stay as they are', async () => {
            setThreads(3);
            checksums(1);
            const running = await settledThreadIds();
            setThreads(3);
            checksums(1);
            assert.equal(await settledThreadIds(), running);
            setThreads(3, { spinMicroseconds: 50 });
            checksums(1);
            assert.notEqual(await settledThreadIds(), running);
        });

        it('gives the same bits wherever threads run', () => {
            setThreads(1);
            const expected = checksums(4);
            const [processor = 0] = allowedProcessors();
            setThreads(3, { processors: [processor] });
            assert.deepEqual(native.threadOptions(), {
                count: 3,
                spinMicroseconds: 100,
                processors: [processor],
            });
            assert.deepEqual(checksums(4), expected);
            const bound = threadAffinities().filter((list) => list === String(processor));
            assert.ok(bound.length >= 2, `two workers on processor ${processor}, found ${bound.length}`);
        });

        if (availableParallelism() > 1)
            it('binds the thread of captured programs where the options say, also when they change', async () => {
                const [processor = 0] = allowedProcessors();
                const bound = (): number =>
                    threadAffinities().filter((list) => list === String(processor)).length;
                const step = capture((x: Tensor) => x.add(1));
                const x = zeros([4]);
                setThreads(1);
                await step.async(x);
                const others = bound();
                for (const [options, count] of [
                    [{ processors: [processor] }, 1],
                    [{}, 0],
                    [{ processors: [processor] }, 1],
                    [{}, 0],
                ] as const) {
                    setThreads(1, options);
                    await step.async(x);
                    assert.equal(bound() - others, count);
                }
            });
    }
});
