import { autocast, capture, data, nn, optim, setThreads, tensor, type Tensor } from '../../../lib/index.js';
import type { BenchContext, PeerCalls, Subject } from '../benchmark.js';
import { disposeAll } from './calls.js';

/** Whether our steps run op by op, or as a captured program, as the Trainer runs them. */
export type Execution = 'eager' | 'captured';

/** float32, or products and convolutions in a low precision with float32 weights (and a scaled loss for float16). */
export type Precision = 'f32' | 'f16' | 'bf16';

export interface TrainingOptions {
    readonly execution: Execution;
    readonly batch: number;
    readonly precision?: Precision;
}

/** Forward, loss, backward, Adam. */
function stepOf(model: nn.Layer, precision: Precision): (x: Tensor, y: Tensor) => Tensor {
    const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
    const scaler = new optim.GradScaler({ enabled: precision === 'f16' });
    const dtype = ({ f32: null, f16: 'float16', bf16: 'bfloat16' } as const)[precision];
    return (x, y) => {
        optimizer.zeroGrad();
        const loss = autocast(dtype, () => nn.crossEntropy(model.forward(x), y));
        scaler.scale(loss).backward();
        scaler.step(optimizer);
        scaler.update();
        return loss;
    };
}

/** Runs so many steps on the next samples of `order`; gives the last loss. */
type Run = ((count: number) => Promise<number>) & Pick<Subject, 'profile'>;

/** As the Trainer does: batches are gathered in the captured step, many steps are one native call. */
function capturedRun(
    body: (x: Tensor, y: Tensor) => Tensor,
    dataset: data.TensorDataset,
    order: Int32Array,
    batch: number,
): Run {
    const step = capture((index: Tensor) => body(...dataset.gather(index)), { gradients: false });
    const steps = Math.floor(order.length / batch);
    const { device } = dataset;
    const rows = tensor(order.slice(0, steps * batch), { device }).reshape([steps, batch]);
    let position = 0;
    /** At most so many as are left of the epoch. */
    const runSome = async (count: number): Promise<{ done: number; last: number }> => {
        if (position === steps) position = 0;
        const part = rows.slice(0, position, Math.min(position + count, steps));
        const done = part.shape[0];
        position += done;
        const { result: losses } = await step.run(done, [part]);
        const last = losses.select(0, done - 1);
        const value = last.item();
        disposeAll([part, losses, last]);
        return { done, last: value };
    };
    const run = async (count: number): Promise<number> => {
        let last = Number.NaN;
        for (let left = count; left > 0;) {
            const some = await runSome(left);
            left -= some.done;
            last = some.last;
        }
        return last;
    };
    return Object.assign(run, { profile: (count: number) => step.profile(count, rows.select(0, 0)) });
}

/** As a user's first loop: op by op, and nothing is freed by hand. */
function eagerRun(
    step: (x: Tensor, y: Tensor) => Tensor,
    dataset: data.TensorDataset,
    order: Int32Array,
    batch: number,
): Run {
    let position = 0;
    const next = (): Tensor => {
        if (position + batch > order.length) position = 0;
        const [x, y] = dataset.batch(order.subarray(position, position + batch));
        position += batch;
        return step(x, y);
    };
    return (count) => {
        for (let i = 1; i < count; i++) next();
        return Promise.resolve(next().item());
    };
}

/** Steps of one network on MNIST held in memory, with the gather of each batch. */
export async function trainingSubject(
    model: nn.Layer,
    context: BenchContext,
    { execution, batch, precision = 'f32' }: TrainingOptions,
): Promise<Subject> {
    const { threads, device = 'cpu' } = context;
    setThreads(threads);
    const dataset = (await data.mnist({ folder: context.data })).train.to(device);
    const order = data.permutation(dataset.length, 1, 0);
    const makeRun = execution === 'captured' ? capturedRun : eagerRun;
    const run = makeRun(stepOf(model.to(device), precision), dataset, order, batch);
    return {
        key: 'nativegrad',
        ...(run.profile ? { profile: run.profile } : {}),
        run: async (count) => {
            const start = performance.now();
            const last = await run(count);
            const seconds = (performance.now() - start) / 1000;
            if (!Number.isFinite(last)) throw new Error(`[bench] the loss became ${last}`);
            return seconds;
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
