// Small networks with an optimizer and a training step, for the tests of captured steps.
import { manualSeed, nn, optim, randint, randn, type Tensor } from '../../lib/index.js';

export type Step = (x: Tensor, y: Tensor) => Tensor;

export interface Setup {
    readonly model: nn.Module & { forward(x: Tensor): Tensor };
    readonly optimizer: optim.Optimizer;
    readonly step: Step;
}

export type MakeModel = () => Setup['model'];
export type MakeOptimizer = (parameters: Tensor[]) => optim.Optimizer;

export const mlp: MakeModel = () =>
    new nn.Sequential(
        new nn.Linear(20, 16),
        new nn.ReLU(),
        new nn.Dropout(0.25),
        new nn.LayerNorm([16]),
        new nn.GELU(),
        new nn.Linear(16, 4),
    );

export const cnn: MakeModel = () =>
    new nn.Sequential(
        new nn.Conv2d(1, 3, 3, { padding: 1 }),
        new nn.BatchNorm2d(3),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Conv2d(3, 4, 3),
        new nn.GroupNorm(2, 4),
        new nn.Tanh(),
        new nn.AvgPool2d(2),
        new nn.Flatten(),
        new nn.Linear(4, 4),
    );

export const cnnWithDropout: MakeModel = () =>
    new nn.Sequential(cnn(), new nn.Dropout(0.3), new nn.Linear(4, 4));

export const adam: MakeOptimizer = (parameters) => new optim.Adam(parameters, { lr: 1e-2 });

export function setup(makeModel: MakeModel, makeOptimizer: MakeOptimizer): Setup {
    manualSeed(3);
    const model = makeModel();
    const optimizer = makeOptimizer(model.parameters());
    const step: Step = (x, y) => {
        optimizer.zeroGrad();
        const loss = nn.crossEntropy(model.forward(x), y);
        loss.backward();
        optimizer.step();
        return loss;
    };
    return { model, optimizer, step };
}

export function batch(size: number, shape: readonly number[]): [Tensor, Tensor] {
    return [randn([size, ...shape]), randint(0, 4, [size])];
}

/** Parameters, buffers and optimizer state, as numbers. */
export function stateOf({ model, optimizer }: Setup): unknown {
    const { state } = optimizer.stateDict();
    return {
        model: [...model.stateDict()].map(([name, x]) => [name, x.toArray()]),
        optimizer: Object.values(state).map(({ step, tensors }) => [
            step,
            ...Object.values(tensors).map((x) => x.toArray()),
        ]),
    };
}
