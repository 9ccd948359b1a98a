import assert from 'node:assert/strict';
import {
    autocast,
    capture,
    CaptureMismatchError,
    manualSeed,
    nn,
    optim,
    type Tensor,
} from '../../lib/index.js';
import { batch, stateOf, type MakeOptimizer, type Setup } from '../support/captured_setup.js';
import { doubled, leftOut, turned, withFault, type Fault } from '../support/planted_fault.js';

type Precision = 'float32' | 'bfloat16';

const mlp = (): nn.Sequential =>
    new nn.Sequential(new nn.Linear(20, 16), new nn.ReLU(), new nn.Linear(16, 4));

const cnn = (): nn.Sequential =>
    new nn.Sequential(
        new nn.Conv2d(1, 16, 3, { padding: 1 }),
        new nn.BatchNorm2d(16),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Conv2d(16, 3, 3, { padding: 1, bias: false }),
        new nn.BatchNorm2d(3),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Flatten(),
        new nn.Linear(12, 4),
    );

const optimizers: Readonly<Record<string, MakeOptimizer>> = {
    Adam: (p) => new optim.Adam(p),
    'SGD with momentum': (p) => new optim.SGD(p, { lr: 0.05, momentum: 0.9 }),
    RMSprop: (p) => new optim.RMSprop(p, { centered: true, momentum: 0.5 }),
};

const faults: readonly (readonly [string, Fault])[] = [
    ['left out', leftOut],
    ['of the wrong sign', turned],
    ['doubled', doubled],
];

interface Trained extends Setup {
    readonly step: (x: Tensor, y: Tensor) => Tensor;
}

function trained(
    makeModel: () => nn.Sequential,
    makeOptimizer: MakeOptimizer,
    precision: Precision,
    options: { readonly gradients?: boolean } = {},
): Trained {
    const model = makeModel();
    const optimizer = makeOptimizer(model.parameters());
    const step = capture(
        (x: Tensor, y: Tensor) => {
            optimizer.zeroGrad();
            const outputs = autocast(precision === 'bfloat16' ? precision : null, () => model.forward(x));
            const loss = nn.crossEntropy(outputs, y);
            loss.backward();
            optimizer.step();
            return loss;
        },
        { validate: true, gradients: false, ...options },
    );
    return { model, optimizer, step };
}

describe('a check of a captured step', () => {
    const networks = { MLP: [mlp, [20]], 'CNN with batch norm': [cnn, [1, 8, 8]] } as const;

    for (const [network, [makeModel, shape]] of Object.entries(networks)) {
        for (const precision of ['float32', 'bfloat16'] as const) {
            // Batch norm takes this bias away again: its update is rounding, of either sign, and with SGD next to nothing.
            const noisy = network === 'MLP' ? '' : '0.bias';

            it(`of a ${network} in ${precision} finds every update left out, turned and doubled`, () => {
                manualSeed(4);
                for (const [kind, make] of Object.entries(optimizers)) {
                    const made = trained(makeModel, make, precision);
                    made.step(...batch(16, shape));
                    for (const [name, x] of made.model.namedParameters()) {
                        for (const [fault, plant] of faults) {
                            if (name === noisy && (plant !== leftOut || kind.startsWith('SGD'))) continue;
                            const data = batch(16, shape);
                            assert.throws(
                                () => withFault(x, plant, () => made.step(...data)),
                                (error) =>
                                    error instanceof CaptureMismatchError &&
                                    error.message.includes('fused calls'),
                                `${kind}: ${name} ${fault}`,
                            );
                        }
                    }
                    made.step(...batch(16, shape));
                }
            });

            it(`of a ${network} in ${precision} lets every sound step pass`, () => {
                for (let seed = 0; seed < 4; seed++) {
                    for (const make of Object.values(optimizers)) {
                        for (const gradients of [false, true]) {
                            manualSeed(seed);
                            const made = trained(makeModel, make, precision, { gradients });
                            for (let i = 0; i < 3; i++) made.step(...batch(4 + 7 * seed, shape));
                        }
                    }
                }
            });
        }
    }

    it('finds momentum and running statistics that were left out', () => {
        manualSeed(4);
        const made = trained(cnn, (p) => new optim.Adam(p), 'float32');
        made.step(...batch(16, [1, 8, 8]));
        const moments = made.model
            .parameters()
            .slice(4)
            .flatMap((p) => made.optimizer.tensorsOf(p));
        const running = [...made.model.stateDict()].flatMap(([name, x]) =>
            name.includes('running') ? [x] : [],
        );
        assert.deepEqual([moments.length, running.length], [10, 4]);
        for (const x of [...moments, ...running]) {
            const data = batch(16, [1, 8, 8]);
            assert.throws(() => withFault(x, leftOut, () => made.step(...data)), /fused calls/);
        }
    });

    it('lets gradients that add up pass, and finds those that do not', () => {
        manualSeed(4);
        const model = cnn();
        const step = capture(
            (x: Tensor, y: Tensor) => {
                const loss = nn.crossEntropy(model.forward(x), y);
                loss.backward();
                return loss;
            },
            { validate: true },
        );
        for (let i = 0; i < 4; i++) step(...batch(16, [1, 8, 8]));
        const { grad } = model.parameters().at(-1) ?? {};
        assert.ok(grad);
        const data = batch(16, [1, 8, 8]);
        assert.throws(() => withFault(grad, leftOut, () => step(...data)), /fused calls .* written tensor/);
    });

    it('leaves the state of the step itself where it finds a fault', () => {
        const data = batch(16, [20]);
        const [wanted, got] = [false, true].map((isFaulty) => {
            manualSeed(4);
            const made = trained(mlp, (p) => new optim.Adam(p), 'float32');
            const [weight] = made.model.parameters();
            if (!isFaulty) made.step(...data);
            else if (weight)
                assert.throws(
                    () => withFault(weight, doubled, () => made.step(...data)),
                    CaptureMismatchError,
                );
            return stateOf(made);
        });
        assert.deepEqual(got, wanted);
    });
});
