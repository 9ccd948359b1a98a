// The TensorFlow.js side of `npm run bench -- mlp`: `node peer_tfjs.mjs FOLDER THREADS`, with the protocol of peer.py. FOLDER is a
// project that has @tensorflow/tfjs and @tensorflow/tfjs-backend-wasm installed. Its only work is the MLP's step; `setup` is the
// size of a batch.
import { readFileSync, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { performance } from 'node:perf_hooks';
import { gunzipSync } from 'node:zlib';

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

async function load(folder, threads) {
    const requireThere = createRequire(join(resolve(folder), 'package.json'));
    // Its greeting and warnings would stand among the answers.
    for (const name of ['log', 'info', 'warn']) console[name] = () => undefined;
    const tf = requireThere('@tensorflow/tfjs');
    const wasm = requireThere('@tensorflow/tfjs-backend-wasm');
    wasm.setThreadsCount(threads);
    if (!(await tf.setBackend('wasm'))) throw new Error('the wasm backend does not start');
    return tf;
}

function readIdx(folder, name, header) {
    const path = join(folder, name);
    const bytes = existsSync(path) ? readFileSync(path) : gunzipSync(readFileSync(`${path}.gz`));
    return bytes.subarray(header);
}

/** Forward, loss, backward and Adam on the next images, as a loop over tensors. */
function makeStep(tf, folder, batch) {
    const images = readIdx(folder, 'train-images-idx3-ubyte', 16);
    const labels = readIdx(folder, 'train-labels-idx1-ubyte', 8);
    const sizes = [784, 256, 128, 10];
    const layers = sizes.slice(1).map((size, i) => ({
        weight: tf.variable(tf.randomUniform([sizes[i], size], -1, 1).div(Math.sqrt(sizes[i]))),
        bias: tf.variable(tf.zeros([size])),
    }));
    const optimizer = tf.train.adam(1e-3);
    let position = 0;
    return () => {
        if (position + batch > labels.length) position = 0;
        const first = position;
        position += batch;
        return tf.tidy(() => {
            const pixels = Float32Array.from(images.subarray(first * 784, (first + batch) * 784));
            const x = tf.tensor2d(pixels, [batch, 784]).div(255).sub(0.1307).div(0.3081);
            const y = tf.oneHot(
                tf.tensor1d(Int32Array.from(labels.subarray(first, first + batch)), 'int32'),
                10,
            );
            const loss = optimizer.minimize(() => {
                const outputs = layers.reduce((input, { weight, bias }, i) => {
                    const sum = input.matMul(weight).add(bias);
                    return i < 2 ? sum.relu() : sum;
                }, x);
                return tf.losses.softmaxCrossEntropy(y, outputs);
            }, true);
            return loss.dataSync()[0];
        });
    };
}

const works = new Map();
const commands = {
    setup: (tf, { id, setup, data }) => {
        const step = makeStep(tf, data, Number(setup));
        step();
        works.set(id, step);
        return { ok: true };
    },
    run: (_, { id, count }) => {
        const begin = performance.now();
        let loss = 0;
        for (let i = 0; i < count; i++) loss = works.get(id)();
        if (!Number.isFinite(loss)) throw new Error(`the loss became ${loss}`);
        return { ok: true, seconds: (performance.now() - begin) / 1000 };
    },
    drop: (_, { id }) => ({ ok: works.delete(id) }),
};

const [folder = '', threads = '1'] = process.argv.slice(2);
try {
    const tf = await load(folder, Number(threads));
    say({ ready: true, version: tf.version.tfjs });
    createInterface(process.stdin)
        .on('line', (line) => {
            const request = JSON.parse(line);
            try {
                say(commands[request.command](tf, request));
            } catch (error) {
                say({ ok: false, error: error.message });
            }
        })
        // The workers of the wasm backend would keep the process.
        .on('close', () => process.exit(0));
} catch (error) {
    say({ ready: false, error: error.message.split('\n')[0] });
}
