import { data, fromTypedArray, nn, noGrad, optim, scope, type DType, type Tensor } from '../../lib/index.js';
import type { GoldenNet } from './golden.js';
import { hashUniform } from './hash_init.js';

const PIXELS = 28 * 28;

/** Images and labels at the start of MNIST's training file, as float32 like in scripts/reference. */
export interface FirstImages {
    readonly x: Float32Array;
    readonly labels: Uint8Array;
}

/** x = (pixel / 255 - mean) / std in float64, rounded to float32 once. */
export async function firstImages(count: number): Promise<FirstImages> {
    const { train } = await data.readMnist();
    const table = Float32Array.from(
        { length: 256 },
        (_, pixel) => (pixel / 255 - data.MNIST_MEAN) / data.MNIST_STD,
    );
    const x = Float32Array.from(train.images.subarray(0, count * PIXELS), (pixel) => table[pixel]);
    return { x, labels: train.labels.subarray(0, count) };
}

/** Batch `step` in file order; the sample shape is [784] or [1, 28, 28]. */
export function batchAt(
    images: FirstImages,
    step: number,
    options: { size: number; sample: readonly number[]; dtype: DType },
): [Tensor, Tensor] {
    const { size, sample, dtype } = options;
    const x = images.x.slice(step * size * PIXELS, (step + 1) * size * PIXELS);
    const labels = Int32Array.from(images.labels.subarray(step * size, (step + 1) * size));
    return [fromTypedArray(x, [size, ...sample], { dtype }), fromTypedArray(labels, [size])];
}

/** Overwrites every weight and bias by the shared formula; batch norm keeps 1 and 0. */
export function fillFromHash(model: nn.Module): void {
    const parameters = model.namedParameters();
    const weights = new Map(parameters);
    let index = 0;
    for (const [name, parameter] of parameters) {
        const weight = weights.get(name.replace(/bias$/, 'weight')) ?? parameter;
        if (weight.rank > 1) {
            const fanIn = weight.size / weight.shape[0];
            const values = fromTypedArray(hashUniform(index, parameter.size, fanIn), parameter.shape);
            noGrad(() => parameter.copy_(values));
            values.dispose();
        }
        index++;
    }
}

export function buildMlp(): nn.Sequential {
    return new nn.Sequential(
        new nn.Linear(784, 256),
        new nn.ReLU(),
        new nn.Linear(256, 128),
        new nn.ReLU(),
        new nn.Linear(128, 10),
    );
}

/** Twice (3x3 convolution, batch norm, ReLU, 2x2 max-pool) with 32 and 64 channels, then 3136-128-10. */
export function buildCnn(): nn.Sequential {
    return new nn.Sequential(
        new nn.Conv2d(1, 32, 3, { padding: 1 }),
        new nn.BatchNorm2d(32),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Conv2d(32, 64, 3, { padding: 1 }),
        new nn.BatchNorm2d(64),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Flatten(),
        new nn.Linear(3136, 128),
        new nn.ReLU(),
        new nn.Linear(128, 10),
    );
}

/** One of the two networks with everything that its golden run needs. */
export interface NetCase {
    readonly name: 'mlp' | 'cnn';
    readonly build: () => nn.Layer;
    readonly sample: readonly number[];
    readonly golden: GoldenNet;
    /** The first ones of the golden run, or all. */
    readonly steps: number;
}

/** What one run gave. */
export interface NetRun {
    readonly losses: readonly number[];
    readonly gradients: ReadonlyMap<string, Float64Array>;
    readonly buffers: ReadonlyMap<string, Float64Array>;
    /** Loss of batch 0 in eval mode after the last step; NaN where not all steps were taken. */
    readonly evalLoss: number;
}

const numbers = (x: Tensor): Float64Array => Float64Array.from(x.dataSync(), Number);

/** Trains as scripts/reference/golden_losses.py does: cross-entropy, Adam, batches in file order. */
export function runNet(net: NetCase, images: FirstImages, dtype: DType): NetRun {
    const { build, sample, golden, steps } = net;
    const model = build();
    model.to(dtype);
    fillFromHash(model);
    const optimizer = new optim.Adam(model.parameters(), { lr: golden.learning_rate });
    const options = { size: golden.batch_size, sample, dtype };
    const losses: number[] = [];
    const gradients = new Map<string, Float64Array>();
    for (let step = 0; step < steps; step++) {
        scope(() => {
            const [x, y] = batchAt(images, step, options);
            const loss = nn.crossEntropy(model.forward(x), y);
            optimizer.zeroGrad();
            loss.backward();
            if (step === 0) {
                for (const [name, parameter] of model.namedParameters()) {
                    if (parameter.grad) gradients.set(name, numbers(parameter.grad));
                }
            }
            optimizer.step();
            losses.push(loss.item());
        });
    }
    const buffers = new Map(model.namedBuffers().map(([name, buffer]) => [name, numbers(buffer)]));
    const evalLoss = steps === golden.steps ? lossInEvalMode(model, batchAt(images, 0, options)) : NaN;
    return { losses, gradients, buffers, evalLoss };
}

function lossInEvalMode(model: nn.Layer, [x, y]: [Tensor, Tensor]): number {
    model.eval();
    return noGrad(() => nn.crossEntropy(model.forward(x), y).item());
}
