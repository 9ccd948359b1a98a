import assert from 'node:assert/strict';
import { data, manualSeed, nn, optim, randint, randn, train, type Tensor } from '../../lib/index.js';

function digits(): data.TensorDataset {
    manualSeed(2);
    return new data.TensorDataset(randn([70, 6]), randint(0, 3, [70], { dtype: 'int32' }));
}

interface Changes {
    readonly capture?: boolean | 'auto';
    readonly loss?: train.TrainerOptions['loss'];
    readonly makeOptimizer?: (parameters: Tensor[]) => optim.Optimizer;
    readonly prepare?: (model: nn.Sequential) => void;
}

async function fit({ capture, loss = nn.crossEntropy, makeOptimizer, prepare }: Changes): Promise<{
    history: train.History;
    weights: unknown;
}> {
    const set = digits();
    manualSeed(4);
    const model = new nn.Sequential(
        new nn.Linear(6, 16),
        new nn.BatchNorm1d(16),
        new nn.ReLU(),
        new nn.Dropout(0.2),
        new nn.Linear(16, 3),
    );
    prepare?.(model);
    const optimizer = makeOptimizer?.(model.parameters()) ?? new optim.Adam(model.parameters(), { lr: 1e-2 });
    const trainer = new train.Trainer({
        model,
        optimizer,
        loss,
        schedule: new optim.CosineAnnealingLR(optimizer, { tMax: 15 }),
        scheduleInterval: 'step',
        beforeStep: () => void optim.clipGradNorm(model.parameters(), 1),
        ...(capture === undefined ? {} : { capture }),
    });
    const loader = new data.DataLoader(set, { batchSize: 16, shuffle: true, seed: 1 });
    const history = await trainer.fit(loader, { epochs: 3, validation: loader });
    return { history, weights: [...model.stateDict().values()].map((x) => x.toArray()) };
}

const figures = ({ epochs }: train.History): unknown => epochs.map(({ seconds: _, ...rest }) => rest);

describe('Trainer with captured steps', () => {
    it('gives the bits of one that goes op by op', async () => {
        const [captured, eager] = [await fit({}), await fit({ capture: false })];
        assert.deepEqual(captured.history.execution, { mode: 'captured' });
        assert.deepEqual(eager.history.execution, { mode: 'eager', reason: 'capture is off' });
        assert.deepEqual(figures(captured.history), figures(eager.history));
        assert.deepEqual(captured.weights, eager.weights);
    });

    class Doubling extends optim.SGD {}

    const reasons: [string, Changes, RegExp][] = [
        [
            'the loss reads a value',
            {
                loss: (outputs, targets) =>
                    nn.crossEntropy(outputs, targets).mul(outputs.sum().item() > 0 ? 1 : 1),
            },
            /reads the values of a tensor of shape \[\] at .*capture\.test\.ts:\d+/,
        ],
        [
            'a module has hooks',
            { prepare: (model) => model.at(2).registerForwardHook(() => undefined) },
            /'2' has hooks/,
        ],
        [
            'the optimizer is somebody’s own',
            { makeOptimizer: (parameters) => new Doubling(parameters, { lr: 0.1 }) },
            /Doubling does not say that it can be captured/,
        ],
    ];
    for (const [name, changes, message] of reasons) {
        it(`goes op by op where ${name}, and says so`, async () => {
            const { history, weights } = await fit(changes);
            assert.equal(history.execution.mode, 'eager');
            assert.match(history.execution.reason ?? '', message);
            assert.deepEqual(weights, (await fit({ ...changes, capture: false })).weights);
            await assert.rejects(fit({ ...changes, capture: true }), message);
        });
    }

    it('finds a loss that depends on JavaScript, and goes on with what the step itself gave', async () => {
        const changing = (): Changes => {
            let optimizer: optim.Adam;
            return {
                makeOptimizer: (parameters) => (optimizer = new optim.Adam(parameters, { lr: 1e-2 })),
                loss: (outputs, targets) =>
                    nn.crossEntropy(outputs, targets).mul(100 * optimizer.learningRate),
            };
        };
        const { history, weights } = await fit(changing());
        assert.equal(history.execution.mode, 'eager');
        assert.match(history.execution.reason ?? '', /disagree: result \d/);
        assert.deepEqual(weights, (await fit({ ...changing(), capture: false })).weights);
    });

    it('refuses another mode', async () => {
        await assert.rejects(
            fit({ capture: 'sometimes' as 'auto' }),
            /\[Trainer\] capture must be true, false or 'auto'/,
        );
    });
});
