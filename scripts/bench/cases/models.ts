import {
    capture,
    captureModels,
    data,
    nn,
    optim,
    randn,
    setThreads,
    tensor,
    type Device,
    type Tensor,
} from '../../../lib/index.js';
import {
    denseFlops,
    trainFlops,
    type BenchContext,
    type Benchmark,
    type PeerCalls,
    type Subject,
} from '../benchmark.js';
import { disposeAll } from './calls.js';

const BATCH = 64;
const SAMPLES = 4096;

type Step = (rows: Tensor) => Tensor;
/** Runs steps of all models; each row of `rows` is a batch. Gives the losses of the last step. */
type Run = (rows: Tensor) => Promise<readonly number[]>;

function network(sizes: readonly number[]): nn.Sequential {
    const layers = sizes.slice(1).flatMap((outputs, i) => [new nn.Linear(sizes[i], outputs), new nn.ReLU()]);
    return new nn.Sequential(...layers.slice(0, -1));
}

/** Gather, forward, loss, backward, Adam, each model with a learning rate of its own. */
function stepsOf(models: number, sizes: readonly number[], device: Device): Step[] {
    const x = randn([SAMPLES, sizes[0]], { device });
    const y = x.slice(1, 0, 10).argmax(1);
    return Array.from({ length: models }, (_, i) => {
        const model = network(sizes).to(device);
        const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 * (1 + i / models) });
        return (rows) => {
            optimizer.zeroGrad();
            const loss = nn.crossEntropy(model.forward(x.indexSelect(0, rows)), y.indexSelect(0, rows));
            loss.backward();
            optimizer.step();
            return loss;
        };
    });
}

function lastOf(losses: Tensor): number {
    const last = losses.select(0, losses.shape[0] - 1);
    const value = last.item();
    disposeAll([losses, last]);
    return value;
}

function together(steps: readonly Step[]): Run {
    const train = captureModels(steps, { gradients: false });
    return async (rows) => (await train.run(rows.shape[0], [rows])).results.map(lastOf);
}

function inTurn(steps: readonly Step[]): Run {
    const captured = steps.map((step) => capture(step, { gradients: false }));
    return async (rows) => {
        const losses: number[] = [];
        for (const step of captured) losses.push(lastOf((await step.run(rows.shape[0], [rows])).result));
        return losses;
    };
}

/** All models together, or one after the other. */
export function modelsSubject(
    how: 'together' | 'in turn',
    models: number,
    sizes: readonly number[],
    { threads, device = 'cpu' }: BenchContext,
): Subject {
    setThreads(threads);
    const run = (how === 'together' ? together : inTurn)(stepsOf(models, sizes, device));
    const batches = Math.floor(SAMPLES / BATCH);
    const order = tensor(data.permutation(SAMPLES, 1, 0), { device }).reshape([batches, BATCH]);
    return {
        key: 'nativegrad',
        run: async (count) => {
            const start = performance.now();
            let losses: readonly number[] = [];
            for (let done = 0; done < count; done += batches) {
                const rows = order.slice(0, 0, Math.min(batches, count - done));
                losses = await run(rows);
                rows.dispose();
            }
            const seconds = (performance.now() - start) / 1000;
            if (!losses.every(Number.isFinite))
                throw new Error(`[bench] the losses became ${losses.join(', ')}`);
            return seconds;
        },
    };
}

function torchModels(work: string): PeerCalls {
    return {
        framework: 'torch',
        setup: `from torch_models import InTurn, Stacked\nwork = ${work}`,
        statement: 'work.step()',
        finish: 'work.finish()',
    };
}

function rowsOf(models: number, sizes: readonly number[], turn: number): Benchmark[] {
    const list = `${models}, [${sizes.join(', ')}]`;
    const layers = sizes.slice(1).map((outputs, i) => denseFlops(sizes[i], outputs));
    const row = {
        group: 'models',
        unit: 'ms/step of all',
        scale: 1000,
        turn,
        flops: models * trainFlops(BATCH, layers),
    };
    const name = `models_f32_${models}x${sizes.join('_')}`;
    return [
        {
            ...row,
            name,
            peers: {
                pytorch_in_turn: torchModels(`InTurn(${list})`),
                pytorch_in_turn_fused: torchModels(`InTurn(${list}, fused=True)`),
                pytorch_vmap: torchModels(`Stacked(${list})`),
            },
            ours: (context) => modelsSubject('together', models, sizes, context),
        },
        {
            ...row,
            name: `${name}_in_turn`,
            peers: {},
            ours: (context) => modelsSubject('in turn', models, sizes, context),
        },
    ];
}

/** Several models at once: networks that cannot fill the machine alone, and some that nearly can. */
export const models: readonly Benchmark[] = [
    ...rowsOf(32, [64, 64, 10], 64),
    ...rowsOf(8, [784, 256, 128, 10], 64),
];
