import assert from 'node:assert/strict';

import { defaultDevice } from '../../lib/index.js';
import { readGoldenLosses, type GoldenGradient } from '../support/golden.js';
import {
    buildCnn,
    buildMlp,
    firstImages,
    runNet,
    type FirstImages,
    type NetCase,
    type NetRun,
} from '../support/golden_nets.js';
import { onSimulator } from '../support/simulator.js';

const { mlp, cnn } = readGoldenLosses().nets;
// Steps of convolutions take the simulator a quarter of a minute each.
const MLP: NetCase = {
    name: 'mlp',
    build: buildMlp,
    sample: [784],
    golden: mlp,
    steps: onSimulator ? 5 : mlp.steps,
};
const CNN: NetCase = {
    name: 'cnn',
    build: buildCnn,
    sample: [1, 28, 28],
    golden: cnn,
    steps: onSimulator ? 1 : cnn.steps,
};

/** Of the steps that were taken. */
function largestRelative(actual: readonly number[], expected: readonly number[]): number {
    assert.ok(actual.length > 0 && actual.length <= expected.length);
    return Math.max(...actual.map((value, i) => Math.abs(value / expected[i] - 1)));
}

/** PyTorch's float64 gradient is recorded by its norm, sum, maximum and sampled elements. */
function checkGradient64(golden: GoldenGradient, found: Float64Array): void {
    const what = `gradient of ${golden.name}`;
    // Where the true gradient is zero (a bias before batch norm) only rounding is left.
    const limit = 1e-9 * golden.max + 1e-12;
    assert.equal(
        found.length,
        golden.shape.reduce((product, size) => product * size, 1),
        what,
    );
    golden.indices.forEach((index, k) =>
        assert.ok(Math.abs(found[index] - golden.values[k]) <= limit, `${what}: element ${index}`),
    );
    const sum = found.reduce((total, value) => total + value, 0);
    assert.ok(Math.abs(sum - golden.sum) <= limit * found.length, `${what}: sum`);
    assert.ok(
        Math.abs(Math.hypot(...chunkNorms(found)) - golden.l2) <= 1e-9 * golden.l2 + 1e-12,
        `${what}: norm`,
    );
}

/** Math.hypot takes its numbers as arguments, of which there may not be too many. */
function chunkNorms(values: Float64Array): number[] {
    const norms: number[] = [];
    for (let i = 0; i < values.length; i += 1000) norms.push(Math.hypot(...values.subarray(i, i + 1000)));
    return norms;
}

// PyTorch's gaps are those of its CPU kernels, which add long sums in cascades; the lanes of a GPU add stretches of them.
const allowedGap = defaultDevice() === 'cpu' ? 2 : 4;

/** Our float32 gradient may be twice as far from float64 as PyTorch's own float32 is, four times on a GPU. */
function checkGap(golden: GoldenGradient, single: Float64Array, double: Float64Array): void {
    let gap = 0;
    for (let i = 0; i < double.length; i++) gap = Math.max(gap, Math.abs(single[i] - double[i]));
    assert.ok(
        gap <= allowedGap * golden.gap,
        `gradient of ${golden.name}: gap ${gap}, PyTorch's own is ${golden.gap}`,
    );
}

const valueOf = (map: ReadonlyMap<string, Float64Array>, name: string): Float64Array => {
    const value = map.get(name);
    assert.ok(value, `${name} is missing`);
    return value;
};

describe("PyTorch's first 20 steps", function () {
    this.timeout(onSimulator ? 600_000 : 300_000);
    let images: FirstImages;

    before(async () => {
        images = await firstImages(20 * 64);
    });

    for (const net of [MLP, CNN]) {
        describe(net.name, () => {
            let single: NetRun;
            let double: NetRun;

            before(() => {
                single = runNet(net, images, 'float32');
                double = runNet(net, images, 'float64');
            });

            it(`losses in float64, of ${net.steps} steps, to 1e-9`, () => {
                assert.equal(double.losses.length, net.steps);
                const error = largestRelative(double.losses, net.golden.losses.float64);
                assert.ok(error <= 1e-9, `largest relative error ${error}`);
            });

            it('gradients of the first step in float64', () => {
                for (const golden of net.golden.gradients) {
                    checkGradient64(golden, valueOf(double.gradients, golden.name));
                }
            });

            it(`gradients of the first step in float32 within ${allowedGap} times the gap of PyTorch`, () => {
                for (const golden of net.golden.gradients) {
                    const { name } = golden;
                    checkGap(golden, valueOf(single.gradients, name), valueOf(double.gradients, name));
                }
            });

            it('first loss in float32 to 1e-5, all of them to the bound of the network', () => {
                const error = largestRelative(single.losses, net.golden.losses.float32);
                const first = largestRelative([single.losses[0]], [net.golden.losses.float32[0]]);
                assert.ok(first <= 1e-5, `first loss: relative error ${first}`);
                const bound = net.name === 'mlp' ? 1e-5 : 2e-2;
                assert.ok(error <= bound, `largest relative error ${error}`);
            });

            if (net.steps < net.golden.steps) return;

            it('running statistics and the loss in eval mode after 20 steps, float64', () => {
                for (const [name, { float64 }] of Object.entries(net.golden.buffers)) {
                    const expected = [float64].flat();
                    const found = valueOf(double.buffers, name);
                    assert.equal(found.length, expected.length, name);
                    // The bias before batch norm has a gradient of rounding alone (1e-14), which Adam turns into
                    // steps of 1e-3 * 1e-14 / eps; the running mean follows the bias.
                    const limit = 1e-9 * Math.max(...expected.map(Math.abs)) + 2e-8;
                    expected.forEach((value, i) =>
                        assert.ok(Math.abs(found[i] - value) <= limit, `${name}[${i}]`),
                    );
                }
                const error = largestRelative([double.evalLoss], [net.golden.eval_loss.float64]);
                assert.ok(error <= 1e-9, `loss in eval mode: relative error ${error}`);
            });
        });
    }
});
