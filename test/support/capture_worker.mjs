// A worker that runs a captured step on another thread, again and again, until it is terminated.
import { parentPort, workerData } from 'node:worker_threads';

const { capture, randn } = await import(workerData.library);

const weight = randn([256, 256]);
const run = capture((x) => {
    let y = x;
    for (let i = 0; i < 50; i++) y = y.matmul(weight).tanh();
    return y;
});
const x = randn([256, 256]);
for (;;) {
    const done = run.async(x);
    parentPort.postMessage('running');
    await done;
}
