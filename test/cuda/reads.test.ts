import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { reportOfChild } from '../support/child.js';
import { compiledLibrary } from '../support/compiled.js';

/** Runs the body of a module in a process whose simulated GPU is set up by `setup`; gives what it reports. */
function runWith(setup: string, body: string): unknown {
    const names = 'const { cuda, ones, scope, setMemoryLimit, tensor, zeros } = library;';
    return reportOfChild(`${names}\n${body}`, { NATIVEGRAD_CUDA_SIM_SETUP: setup });
}

/** How often a timer of 5 ms fires while `body`, in JavaScript, is waited for. */
const countTicks = `
    async function ticksDuring(body) {
        let ticks = 0;
        const timer = setInterval(() => ticks++, 5);
        const value = await body();
        clearInterval(timer);
        return { ticks, value };
    }`;

describe('reads from a device that is busy', () => {
    before(() => {
        assert.ok(existsSync(process.env.NATIVEGRAD_CUDA ?? ''), 'run this by npm run test:sim');
        compiledLibrary();
    });

    // Each piece of work on the simulated GPU takes 40 ms, so ten of them keep it busy for 0.4 s.
    const busy = 'let x = ones([4], { device: "cuda" }); for (let i = 0; i < 10; i++) x = x.add(1);';

    it('leave the event loop free until the elements are there', () => {
        const { ticks, value } = runWith(
            'slow=40',
            `${countTicks} ${busy} report(await ticksDuring(async () => [...await x.data()]));`,
        ) as { ticks: number; value: number[] };
        assert.deepEqual(value, [11, 11, 11, 11]);
        // 80 on a machine that has nothing else to do.
        assert.ok(ticks >= 5, `the timer fired ${ticks} times in 0.4 s`);
    });

    it('hold it by the names that end in Sync', () => {
        const { ticks, value } = runWith(
            'slow=40',
            `${countTicks} ${busy} report(await ticksDuring(async () => [...x.dataSync()]));`,
        ) as { ticks: number; value: number[] };
        assert.deepEqual(value, [11, 11, 11, 11]);
        assert.equal(ticks, 0);
    });

    it('give the elements of the moment they were asked for', () => {
        const found = runWith(
            'slow=10',
            `const x = tensor([1, 2, 3], { device: 'cuda' });
            const before = x.data();
            x.copy_(tensor([7, 8, 9], { device: 'cuda' }));
            const after = x.data();
            x.dispose();
            zeros([3], { device: 'cuda' }).add(5);
            report([[...await before], [...await after]]);`,
        );
        assert.deepEqual(found, [
            [1, 2, 3],
            [7, 8, 9],
        ]);
    });

    it('bring large tensors by way of a copy on the device, and without one where its memory is full', () => {
        const found = runWith(
            'slow=5',
            `${countTicks}
            const n = 3 << 20;
            const x = ones([n], { device: 'cuda' }).mul(2);
            const sums = [], ticks = [];
            for (const limit of [0, 13 << 20]) {
                setMemoryLimit(limit, 'cuda');
                const read = await ticksDuring(() => x.data());
                sums.push(read.value.reduce((sum, value) => sum + value, 0));
                ticks.push(read.ticks);
            }
            report({ sums, ticks });`,
        ) as { sums: number[]; ticks: number[] };
        assert.deepEqual(found.sums, [6 << 20, 6 << 20]);
        assert.ok(found.ticks[0] > 0, 'with a copy the loop is free');
    });

    it('come in order from many at once, again and again, and end the process when they are there', () => {
        // More than are kept for the next ones.
        const found = runWith(
            'slow=0.5',
            `const rounds = [];
            for (let round = 0; round < 3; round++) {
                const x = ones([], { device: 'cuda' });
                const reads = Array.from({ length: 150 }, (_, i) => x.mul(i).data());
                rounds.push((await Promise.all(reads)).map((values) => values[0]));
            }
            report(rounds);`,
        );
        const expected = Array.from({ length: 150 }, (_, i) => i);
        assert.deepEqual(found, [expected, expected, expected]);
    });

    it('reject with what the work before reported, and only with that', () => {
        const found = runWith(
            'slow=5',
            `const x = tensor([1, 2, 3], { device: 'cuda' });
            const right = x.add(1).data();
            const wrong = x.indexSelect(0, tensor([3], { dtype: 'int32', device: 'cuda' })).data();
            const message = await wrong.then(() => '', (error) => error.message);
            cuda.synchronize();
            report({ wrong: message, right: [...await right] });`,
        ) as { wrong: string; right: number[] };
        assert.match(found.wrong, /^\[index_select\] index 3 at position 0 is outside \[0, 3\)/);
        assert.deepEqual(found.right, [2, 3, 4]);
    });

    it('are given up with the worker thread that asked', () => {
        const found = runWith(
            'slow=20',
            `const { Worker } = await import('node:worker_threads');
            const { once } = await import('node:events');
            const script = \`
                import { parentPort, workerData } from 'node:worker_threads';
                const { ones } = await import(workerData);
                const x = ones([1 << 20], { device: 'cuda' });
                for (let i = 0; i < 5; i++) x.add(i).data();
                parentPort.postMessage(0);\`;
            const url = new URL('data:text/javascript,' + encodeURIComponent(script));
            const worker = new Worker(url, { workerData: process.argv[1], execArgv: [] });
            await once(worker, 'message');
            await worker.terminate();
            report(ones([2], { device: 'cuda' }).sum().item());`,
        );
        assert.equal(found, 2);
    });

    it('do not keep a process that is told to exit', () => {
        const found = runWith(
            'slow=30',
            `${busy} x.data(); process.on('exit', () => report('left')); setTimeout(() => process.exit(), 20);`,
        );
        assert.equal(found, 'left');
    });
});
