// Small trainings on the default device, for tests that run on a GPU and on the simulator (in a smaller size).
import {
    autocast,
    capture,
    manualSeed,
    nn,
    optim,
    randint,
    randn,
    scope,
    type LowPrecision,
    type Tensor,
    type TensorData,
} from '../../../lib/index.js';
import { isSimulated } from '../../support/simulator.js';

export interface Run {
    readonly model: nn.Sequential;
    readonly step: (x: Tensor, y: Tensor) => Tensor;
    readonly batches: readonly (readonly [Tensor, Tensor])[];
}

export interface RunOptions {
    readonly network: 'mlp' | 'cnn';
    readonly captured: boolean;
    readonly precision: LowPrecision | null;
    readonly seed: number;
}

function mlp(width: number): nn.Sequential {
    return new nn.Sequential(
        new nn.Linear(2 * width, width),
        new nn.ReLU(),
        new nn.Dropout(0.2),
        new nn.LayerNorm([width]),
        new nn.Linear(width, 10),
    );
}

/** 1x12x12 -> channels x 6 x 6 -> 2 channels x 3 x 3 -> 10 */
function cnn(channels: number): nn.Sequential {
    return new nn.Sequential(
        new nn.Conv2d(1, channels, 3, { padding: 1 }),
        new nn.BatchNorm2d(channels),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Conv2d(channels, 2 * channels, 3, { padding: 1 }),
        new nn.ReLU(),
        new nn.AvgPool2d(2),
        new nn.Flatten(),
        new nn.Linear(18 * channels, 10),
    );
}

/** The elements of what `body` makes; all of its tensors are gone when this returns, before they are there. */
export function readsOf(body: () => readonly Tensor[]): Promise<TensorData[]> {
    const reads: Promise<TensorData>[] = [];
    scope(() => {
        for (const x of body()) reads.push(x.data());
    });
    return Promise.all(reads);
}

/** A network with Adam, its step, and two batches; sizes for a GPU are such that sums take many blocks. */
export function prepare({ network, captured, precision, seed }: RunOptions): Run {
    manualSeed(seed);
    const small = isSimulated();
    const size = small ? 6 : 300;
    const width = small ? 8 : 256;
    const model = network === 'mlp' ? mlp(width) : cnn(small ? 2 : 32);
    const optimizer = new optim.Adam(model.parameters(), { lr: 1e-2 });
    const shape = network === 'mlp' ? [size, 2 * width] : [size, 1, 12, 12];
    const batches = [0, 1].map(() => [randn(shape), randint(0, 10, [size])] as const);
    const step = (x: Tensor, y: Tensor): Tensor => {
        optimizer.zeroGrad();
        const loss = autocast(precision, () => nn.crossEntropy(model.forward(x), y));
        loss.backward();
        optimizer.step();
        return loss;
    };
    return { model, batches, step: captured ? capture(step) : step };
}
