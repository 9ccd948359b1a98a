import assert from 'node:assert/strict';
import {
    affineSample,
    autocast,
    batchGather,
    capture,
    captureModels,
    Generator,
    manualSeed,
    nn,
    optim,
    randint,
    randn,
    setDefaultDevice,
    softmax,
    tensor,
    where,
    type Device,
    type LowPrecision,
    type Tensor,
} from '../../../lib/index.js';

/** The numbers of a batch's samples, and its labels. */
type Step = (index: Tensor, y: Tensor) => Tensor;

interface Made {
    readonly step: Step;
    readonly state: () => unknown;
    readonly scaler: optim.GradScaler;
}

type Network = 'mlp' | 'cnn' | 'embedding';

interface Options {
    readonly network: Network;
    readonly precision: LowPrecision | null;
    /** Model 1 begins with a scale that overflows. */
    readonly overflows?: boolean;
}

const samples = 12;
const steps = 6;
const seeds = [0, 1, 2];

function layersOf(network: Network, seed: number): nn.Sequential {
    const dropout = new nn.Dropout(0.1 + 0.1 * seed, { generator: new Generator(300 + seed) });
    if (network === 'embedding')
        return new nn.Sequential(new nn.Embedding(samples, 8), dropout, new nn.Linear(8, 4));
    return network === 'mlp'
        ? new nn.Sequential(
              new nn.Flatten(),
              new nn.Linear(64, 24),
              new nn.ReLU(),
              dropout,
              new nn.LayerNorm([24]),
              new nn.Linear(24, 4),
          )
        : new nn.Sequential(
              new nn.Conv2d(1, 8, 3, { padding: 1 }),
              new nn.BatchNorm2d(8),
              new nn.ReLU(),
              new nn.MaxPool2d(2),
              new nn.Conv2d(8, 8, 3, { padding: 1 }),
              new nn.ReLU(),
              new nn.AvgPool2d(2),
              new nn.Flatten(),
              dropout,
              new nn.Linear(8 * 4, 4),
          );
}

/** A training step with all that one has of gathering, distorting, drawing and scaling. */
function makeModel(images: Tensor, { network, precision, overflows }: Options, seed: number): Made {
    manualSeed(60 + seed);
    const model = layersOf(network, seed);
    const optimizer = new optim.AdamW(model.parameters(), {
        lr: 1e-2 / (1 + seed),
        weightDecay: 0.01 * seed,
    });
    const generator = new Generator(400 + seed);
    const initScale = overflows && seed === 1 ? 2 ** 60 : 2 ** (3 + seed);
    const scaler = new optim.GradScaler({ enabled: precision !== null, initScale, growthInterval: 2 });
    const maps = tensor([
        [
            [1, 0.1 * seed, 0],
            [0, 1, 0],
        ],
    ])
        .expand([6, 2, 3])
        .contiguous();
    const inputOf = (index: Tensor): Tensor => {
        if (network === 'embedding') return index;
        const taken = batchGather(images, index, { scale: 1 / 255, shift: 0.1 * seed });
        const x = network === 'cnn' ? affineSample(taken, maps) : taken;
        const noise = randn(x.shape, { generator }).mul(0.05);
        return where(noise.gt(0), x.add(noise), x);
    };
    const step: Step = (index, y) => {
        optimizer.zeroGrad();
        const loss = autocast(precision, () => {
            const logits = model.forward(inputOf(index));
            return nn.crossEntropy(logits, y).add(softmax(logits, -1).pow(2).mean().mul(0.1));
        });
        scaler.scale(loss).backward();
        scaler.step(optimizer, { maxNorm: 1 });
        scaler.update();
        return loss;
    };
    const state = (): unknown => [
        [...model.stateDict().values()].map((x) => x.toArray()),
        scaler.stateDict(),
    ];
    return { step, state, scaler };
}

describe('training steps of several models as one graph', () => {
    let former: Device = 'cpu';
    let images: Tensor, index: Tensor, ys: Tensor;
    before(() => {
        former = setDefaultDevice('cuda');
        manualSeed(51);
        images = randint(0, 256, [samples, 1, 8, 8], { dtype: 'uint8' });
        index = randint(0, samples, [steps, 6], { dtype: 'int32' });
        ys = randint(0, 4, [steps, 6]);
    });
    after(() => setDefaultDevice(former));

    const alone = async (options: Options, seed: number): Promise<unknown> => {
        const made = makeModel(images, options, seed);
        const { result } = await capture(made.step).run(steps, [index, ys], { chunk: 4 });
        return [result.toArray(), made.state()];
    };
    /** What each is after the steps of all; that no launch was of one model alone is looked at, too. */
    const together = async (options: Options): Promise<unknown[]> => {
        const made = seeds.map((seed) => makeModel(images, options, seed));
        const train = captureModels(made.map(({ step }) => step));
        const { results } = await train.run(steps, [index, ys], { chunk: 4 });
        const executions = train.statistics.programs.map(({ execution }) => execution);
        assert.deepEqual(
            executions,
            seeds.map(() => 'graph of 3 models'),
        );
        return results.map((losses, i) => [losses.toArray(), made[i]?.state()]);
    };

    for (const network of ['mlp', 'cnn', 'embedding'] as const) {
        for (const precision of [null, 'float16', 'bfloat16'] as const) {
            if (network === 'embedding' && precision !== null) continue;
            it(`has the bits of each ${network} alone in ${precision ?? 'float32'}, all in joint launches`, async () => {
                const options = { network, precision };
                const expected: unknown[] = [];
                for (const seed of seeds) expected.push(await alone(options, seed));
                assert.deepEqual(await together(options), expected);
            });
        }
    }

    it('skips the steps of the one model whose gradients overflow', async () => {
        const options = { network: 'mlp', precision: 'float16', overflows: true } as const;
        const expected: unknown[] = [];
        for (const seed of seeds) expected.push(await alone(options, seed));
        assert.deepEqual(await together(options), expected);
        const made = seeds.map((seed) => makeModel(images, options, seed));
        await captureModels(made.map(({ step }) => step)).run(steps, [index, ys]);
        const scales = made.map(({ scaler }) => scaler.getScale());
        // 2^60 is halved at each step, the others grow at every second one.
        assert.deepEqual(scales, [2 ** 6, 2 ** 54, 2 ** 8]);
    });
});
