import { capture, data, nn, optim, setThreads, type Tensor } from '../../../lib/index.js';
import type { BenchContext, PeerCalls, Subject } from '../benchmark.js';
import { disposeAll } from './calls.js';

/** Whether our steps run op by op, or as a captured program, as the Trainer runs them. */
export type Execution = 'eager' | 'captured';

export interface TrainingOptions {
    readonly execution: Execution;
    readonly batch: number;
}

type Step = (x: Tensor, y: Tensor) => Tensor;

/** Forward, loss, backward, Adam. */
function stepOf(model: nn.Layer, execution: Execution): Step {
    const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
    const step: Step = (x, y) => {
        optimizer.zeroGrad();
        const loss = nn.crossEntropy(model.forward(x), y);
        loss.backward();
        optimizer.step();
        return loss;
    };
    return execution === 'eager' ? step : capture(step);
}

/** What is left of a step that the next one does not need. */
class Leftovers {
    readonly #tensors: Tensor[] = [];

    replace(...tensors: Tensor[]): void {
        disposeAll(this.#tensors.splice(0));
        this.#tensors.push(...tensors);
    }
}

/**
 * Steps of one network on MNIST held in memory, with the gather of each batch. Batch and loss of a captured step are freed
 * when the next is done, as the Trainer does; the loop that runs op by op frees nothing, as a user's first one.
 */
export async function trainingSubject(
    model: nn.Layer,
    context: BenchContext,
    { execution, batch }: TrainingOptions,
): Promise<Subject> {
    setThreads(context.threads);
    const { train: dataset } = await data.mnist({ folder: context.data });
    const order = data.permutation(dataset.length, 1, 0);
    const step = stepOf(model, execution);
    const leftovers = new Leftovers();
    let position = 0;
    const next = (): Tensor => {
        if (position + batch > dataset.length) position = 0;
        const [x, y] = dataset.batch(order.subarray(position, position + batch));
        position += batch;
        const loss = step(x, y);
        if (execution === 'captured') leftovers.replace(x, y, loss);
        return loss;
    };
    return {
        key: 'nativegrad',
        run: (count) => {
            const start = performance.now();
            let loss = next();
            for (let i = 1; i < count; i++) loss = next();
            const last = loss.item();
            const seconds = (performance.now() - start) / 1000;
            if (!Number.isFinite(last)) throw new Error(`[bench] the loss became ${last}`);
            return Promise.resolve(seconds);
        },
    };
}

/** The same steps in PyTorch; `options` are those of peer/torch_training.py, as code. */
export function torchTraining(network: string, options = '', compiles?: true): PeerCalls {
    return {
        framework: 'torch',
        setup: `from torch_training import Training\nwork = Training('${network}', DATA, ${options})`,
        statement: 'work.step()',
        finish: 'work.finish()',
        compiles,
    };
}

/** The same steps in JAX, each one compiled function. */
export function jaxTraining(network: string): PeerCalls {
    return {
        framework: 'jax',
        setup: `from jax_training import Training\nwork = Training('${network}', DATA)`,
        statement: 'work.step()',
        finish: 'work.finish()',
    };
}
