// A worker that trains a small network on random data, step by step, without any dispose().
import { parentPort, workerData } from 'node:worker_threads';

const { library, steps } = workerData;
const { keep, noGrad, data, tensor } = await import(library);

const order = data.permutation(64 * 32, 3);
const inputs = tensor(Float32Array.from(order, (value) => (value % 17) / 17 - 0.5)).reshape([64, 32]);
const weight = (rows, columns, seed) => {
    const values = Float32Array.from(
        data.permutation(rows * columns, seed),
        (value) => (value % 101) / 1010 - 0.05,
    );
    return keep(tensor(values, { requiresGrad: true }).reshape([rows, columns]).detach());
};
const [first, second] = [weight(32, 128, 1), weight(128, 16, 2)];
first.requiresGrad = second.requiresGrad = true;

function step() {
    const output = inputs.matmul(first).relu().matmul(second);
    const loss = output.mul(output).sub(0.25).mean();
    loss.backward();
    noGrad(() => {
        for (const w of [first, second]) {
            w.sub_(w.grad.mul(0.01));
            w.grad.dispose();
            w.grad = null;
        }
    });
    return loss;
}

let loss = step();
parentPort.postMessage('ready');
for (let i = 1; i < steps; i++) loss = step();
parentPort.postMessage({ loss: loss.item(), bits: Array.from(second.dataSync().slice(0, 64)) });
