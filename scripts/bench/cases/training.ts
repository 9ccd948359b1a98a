import { data, nn, optim, setThreads, type Tensor } from '../../../lib/index.js';
import type { BenchContext, Subject } from '../benchmark.js';

const IMAGE_PIXELS = 28 * 28;

/** Steps of one network on MNIST held in memory: gather, forward, backward, Adam; the loop of the README. */
export async function trainingSubject(
    model: nn.Layer,
    context: BenchContext,
    options: { batch: number; input: (x: Tensor) => Tensor },
): Promise<Subject> {
    setThreads(context.threads);
    const { train: dataset } = await data.mnist({ folder: context.mnist.folder });
    const order = data.permutation(dataset.length, 1, 0);
    const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
    let position = 0;
    const step = (): Tensor => {
        if (position + options.batch > dataset.length) position = 0;
        const [x, y] = dataset.batch(order.subarray(position, position + options.batch));
        position += options.batch;
        const loss = nn.crossEntropy(model.forward(options.input(x)), y);
        optimizer.zeroGrad();
        loss.backward();
        optimizer.step();
        return loss;
    };
    return {
        key: 'nativegrad',
        run: (count) => {
            const start = performance.now();
            let loss = step();
            for (let i = 1; i < count; i++) loss = step();
            const last = loss.item();
            const seconds = (performance.now() - start) / 1000;
            if (!Number.isFinite(last)) throw new Error(`[bench] the loss became ${last}`);
            return Promise.resolve(seconds);
        },
    };
}

export const flatImages = (x: Tensor): Tensor => x.reshape([-1, IMAGE_PIXELS]);
