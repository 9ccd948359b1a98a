import { Autoencoder } from '../../../examples/modules/autoencoder.js';
import { ResidualBlock } from '../../../examples/modules/residual_block.js';
import { Block, SelfAttention, Transformer } from '../../../examples/modules/transformer.js';
import { add, mul, nn, rand, randint, randn, tensor, type Tensor } from '../../../lib/index.js';
import { buildClassifier } from '../../../lib/train/classifier.js';

/** A model and the shape of one of its inputs. */
export interface OnnxCase {
    readonly name: string;
    readonly model: nn.SequentialLayer;
    readonly shape: readonly number[];
    readonly input: (shape: readonly number[]) => Tensor;
}

const draw = (shape: readonly number[]): Tensor => randn(shape);

function row(name: string, shape: readonly number[], ...layers: nn.SequentialLayer[]): OnnxCase {
    return { name, shape, model: new nn.Sequential(...layers), input: draw };
}

const linears = (): OnnxCase[] => [
    row('linear', [5], new nn.Linear(5, 3)),
    row('linear without bias', [5], new nn.Linear(5, 3, { bias: false })),
    row('linear of sequences', [4, 5], new nn.Linear(5, 3)),
    row('linear of rank 4 without bias', [2, 4, 5], new nn.Linear(5, 3, { bias: false })),
    row('flatten', [2, 3, 4], new nn.Flatten()),
    row('flatten of rank 2', [6], new nn.Flatten()),
    row('flatten inner axes', [2, 3, 4, 2], new nn.Flatten(2, 3)),
    row('flatten the batch', [2, 3, 4], new nn.Flatten(0, 1), new nn.Linear(4, 2)),
    row('flatten all', [2, 3], new nn.Flatten(0)),
    row('dropout alone', [4], new nn.Dropout(0.5)),
    row('dropout between', [4], new nn.Linear(4, 4), new nn.Dropout(0.5), new nn.Identity()),
    row('identity first', [4], new nn.Identity(), new nn.ReLU()),
    {
        name: 'embedding',
        shape: [6],
        model: new nn.Sequential(new nn.Embedding(9, 4, { paddingIndex: 2 }), new nn.Linear(4, 2)),
        input: (shape) => rand(shape).mul(9).to('int64'),
    },
    {
        name: 'embedding by int32',
        shape: [3, 2],
        model: new nn.Embedding(9, 4),
        input: (shape) => rand(shape).mul(9).to('int32'),
    },
];

const activations = (): OnnxCase[] =>
    [
        ...[new nn.Identity(), new nn.ReLU(), new nn.SiLU(), new nn.Sigmoid(), new nn.Tanh()],
        ...[new nn.LeakyReLU(), new nn.LeakyReLU(0.3), new nn.ELU(), new nn.ELU(2.5)],
        ...[new nn.GELU(), new nn.GELU('tanh'), new nn.Softplus(), new nn.Softplus(2, 0.5)],
        ...[new nn.Softplus(-1.5, 20), new nn.Softmax(), new nn.Softmax(1), new nn.LogSoftmax()],
        ...[new nn.LogSoftmax(-2), new nn.Softmax(-3)],
    ].flatMap((layer) => [
        { name: `${String(layer)} alone`, shape: [3, 4], model: layer, input: (s) => randn(s).mul(4) },
        row(`${String(layer)} in a net`, [3, 4], new nn.Linear(4, 4), layer, new nn.Linear(4, 2)),
    ]);

const convolutions = (): OnnxCase[] => [
    ...[
        {},
        { stride: 2, padding: 1 },
        { stride: [2, 1] as const, padding: [0, 2] as const, dilation: [1, 2] as const },
        { groups: 2, bias: false },
        { padding: 'same' as const, dilation: 2 },
        { padding: 'valid' as const },
    ].map((options) => row(`conv2d ${JSON.stringify(options)}`, [4, 9, 8], new nn.Conv2d(4, 6, 3, options))),
    row('conv2d same of an even kernel', [3, 6, 7], new nn.Conv2d(3, 2, [2, 4], { padding: 'same' })),
    row('conv2d depthwise', [4, 6, 6], new nn.Conv2d(4, 8, 3, { groups: 4, padding: 1 })),
    ...[
        {},
        { stride: 2, padding: 2, dilation: 2 },
        { padding: 'same' as const },
        { groups: 2, bias: false },
    ].map((options) => row(`conv1d ${JSON.stringify(options)}`, [4, 11], new nn.Conv1d(4, 6, 4, options))),
    ...[
        {},
        { stride: 2, padding: 1, outputPadding: 1 },
        { stride: [3, 2] as const, outputPadding: [2, 1] as const, groups: 2 },
        { dilation: 2, bias: false, padding: [1, 0] as const },
    ].map((options) =>
        row(
            `convTranspose2d ${JSON.stringify(options)}`,
            [4, 5, 4],
            new nn.ConvTranspose2d(4, 6, 3, options),
        ),
    ),
];

const poolings = (): OnnxCase[] => [
    ...[
        {},
        { stride: 2, padding: 1 },
        { stride: 2, ceilMode: true },
        { stride: 2, padding: 1, ceilMode: true },
        { stride: 4, padding: 1, ceilMode: true },
        { stride: 2, dilation: 2 },
        { stride: 3, dilation: 3, ceilMode: true },
        { stride: [1, 3] as const, padding: [1, 0] as const, ceilMode: true },
    ].flatMap((options) => [
        row(`maxPool2d ${JSON.stringify(options)}`, [2, 10, 9], new nn.MaxPool2d(3, options)),
        row(`maxPool2d of rank 3 ${JSON.stringify(options)}`, [10, 9], new nn.MaxPool2d([3, 2], options)),
    ]),
    ...[
        {},
        { stride: 2, padding: 1 },
        { stride: 2, padding: 1, countIncludePad: false },
        { stride: 2, ceilMode: true },
        { stride: 2, padding: 1, ceilMode: true },
        { stride: 2, padding: 1, ceilMode: true, countIncludePad: false },
        { stride: [4, 3] as const, padding: [0, 1] as const, ceilMode: true },
    ].flatMap((options) => [
        row(`avgPool2d ${JSON.stringify(options)}`, [2, 10, 9], new nn.AvgPool2d(3, options)),
        row(`avgPool2d of rank 3 ${JSON.stringify(options)}`, [8, 9], new nn.AvgPool2d([3, 2], options)),
    ]),
    ...[1, 2, [3, 4] as const, [5, 1] as const, 9].flatMap((size) => [
        row(`adaptiveAvgPool2d ${String(size)}`, [2, 6, 8], new nn.AdaptiveAvgPool2d(size)),
        row(`adaptiveAvgPool2d ${String(size)} of rank 3`, [6, 8], new nn.AdaptiveAvgPool2d(size)),
    ]),
];

const norms = (): OnnxCase[] => [
    ...[{}, { eps: 1e-2 }, { affine: false }, { momentum: null }].flatMap((options) => [
        row(`batchNorm1d of rank 2 ${JSON.stringify(options)}`, [4], new nn.BatchNorm1d(4, options)),
        row(`batchNorm1d of rank 3 ${JSON.stringify(options)}`, [4, 5], new nn.BatchNorm1d(4, options)),
        row(`batchNorm2d ${JSON.stringify(options)}`, [4, 5, 3], new nn.BatchNorm2d(4, options)),
    ]),
    row('batchNorm1d by batch', [4, 5], new nn.BatchNorm1d(4, { trackRunningStats: false, affine: false })),
    row('batchNorm2d by batch, learned', [4, 5, 3], new nn.BatchNorm2d(4, { trackRunningStats: false })),
    ...[{}, { eps: 1e-2 }, { bias: false }, { elementwiseAffine: false }].flatMap((options) => [
        row(`layerNorm ${JSON.stringify(options)}`, [4, 6], new nn.LayerNorm(6, options)),
        row(`layerNorm of two axes ${JSON.stringify(options)}`, [3, 4, 6], new nn.LayerNorm([4, 6], options)),
    ]),
    ...[{}, { eps: 1e-2 }, { affine: false }].flatMap((options) => [
        row(`groupNorm of rank 2 ${JSON.stringify(options)}`, [6], new nn.GroupNorm(2, 6, options)),
        row(`groupNorm of rank 3 ${JSON.stringify(options)}`, [6, 5], new nn.GroupNorm(6, 6, options)),
        row(`groupNorm of rank 4 ${JSON.stringify(options)}`, [6, 5, 4], new nn.GroupNorm(3, 6, options)),
    ]),
];

const sequences = (): OnnxCase[] => [
    ...[
        {},
        { batchFirst: true },
        { bidirectional: true, bias: false },
        { numLayers: 2, batchFirst: true, bidirectional: true, dropout: 0.5 },
    ].flatMap((options) => [
        row(`lstm ${JSON.stringify(options)}`, [4, 3], new nn.LSTM(3, 5, options)),
        row(`lstm of rank 2 ${JSON.stringify(options)}`, [3], new nn.LSTM(3, 5, options)),
        row(`gru ${JSON.stringify(options)}`, [4, 3], new nn.GRU(3, 5, options)),
        row(`gru of rank 2 ${JSON.stringify(options)}`, [3], new nn.GRU(3, 5, options)),
    ]),
    ...[{}, { batchFirst: true }, { batchFirst: true, bias: false, dropout: 0.3 }].flatMap((options) => [
        row(`attention ${JSON.stringify(options)}`, [4, 6], new nn.MultiheadAttention(6, 3, options)),
        row(`attention of rank 2 ${JSON.stringify(options)}`, [6], new nn.MultiheadAttention(6, 2, options)),
    ]),
];

/** Modules of one's own, one in the other, with a constant and a parameter of their own. */
class Residual extends nn.Module implements nn.OnnxModule {
    readonly body = new nn.Sequential(new nn.Linear(4, 4), new nn.ReLU());
    readonly scale = new nn.Parameter(tensor([1, -2, 3, 0.5]));
    private readonly shift = tensor([[0.25], [4]])
        .transpose(0, 1)
        .slice(1, 1, 2);

    forward(x: Tensor): Tensor {
        return add(mul(this.body.forward(x), this.scale), add(x, this.shift));
    }

    onnx(builder: nn.OnnxBuilder, x: nn.OnnxValue): nn.OnnxValue {
        const scaled = builder.operator(
            'Mul',
            [builder.layer(this.body, x), builder.tensor(this.scale)],
            mul,
        );
        return builder.operator(
            'Add',
            [scaled, builder.operator('Add', [x, builder.tensor(this.shift)], add)],
            add,
        );
    }
}

/** A weight as output, whatever comes in. */
class Still extends nn.Module implements nn.OnnxModule {
    readonly weight = new nn.Parameter(tensor([[1, -2, 3, 0.5]]));

    forward(): Tensor {
        return this.weight;
    }

    onnx(builder: nn.OnnxBuilder): nn.OnnxValue {
        return builder.tensor(this.weight);
    }
}

class Chain extends nn.Sequential {
    constructor() {
        super(new Residual(), new nn.Tanh(), new Residual());
    }
}

/** The networks of the command line, a layer at two places, lists inside each other, other dtypes. */
function nets(): OnnxCase[] {
    const common = { kernelSize: 3, useBatchNorm: true, dropoutRate: 0.2, hiddenSizes: [16] };
    const shared = new nn.Linear(4, 4);
    const block = new nn.Sequential(shared, new nn.ReLU());
    const inOf = (dtype: 'float64' | 'float16'): OnnxCase => {
        const layers = [new nn.Linear(4, 8), new nn.GELU('tanh'), new nn.LayerNorm(8), new nn.Linear(8, 3)];
        const model = new nn.Sequential(...layers).to(dtype);
        return { name: dtype, shape: [4], model, input: (shape) => randn(shape).to(dtype) };
    };
    return [
        ...(['mlp', 'cnn'] as const).map((architecture): OnnxCase => {
            const model = buildClassifier({
                ...common,
                architecture,
                activation: 'relu',
                convChannels: [4, 8],
            });
            return { name: architecture, shape: [1, 28, 28], model, input: draw };
        }),
        row('modules of its own', [4], new nn.Linear(4, 4), new Chain(), new nn.Softmax()),
        { name: 'a weight as output', shape: [4], model: new Still(), input: draw },
        { name: 'a module alone', shape: [3, 4], model: new Residual(), input: draw },
        row('shared layers', [4], shared, block, shared, block),
        inOf('float64'),
        inOf('float16'),
    ];
}

/** The modules of the examples, each alone and as they are used there. */
function examples(): OnnxCase[] {
    const texts = (shape: readonly number[]): Tensor => randint(0, 9, [...shape], { dtype: 'int64' });
    const transformer = new Transformer({ symbols: 9, length: 8, width: 12, heads: 3, blocks: 2 });
    const blocks = [new ResidualBlock(2, 4, 2), new ResidualBlock(4, 4, 1), new ResidualBlock(4, 6, 1)];
    const row = (name: string, shape: readonly number[], model: nn.SequentialLayer): OnnxCase => ({
        name: `of the examples: ${name}`,
        shape,
        model,
        input: draw,
    });
    return [
        row('attention', [5, 12], new SelfAttention(12, 3)),
        row('a block', [5, 12], new Block(12, 2)),
        { ...row('a transformer', [8], transformer), input: texts },
        { ...row('a transformer of shorter texts', [3], transformer), input: texts },
        row('residual blocks', [2, 9, 9], new nn.Sequential(...blocks)),
        row('an autoencoder', [1, 28, 28], new Autoencoder()),
    ];
}

export function onnxCases(): OnnxCase[] {
    return [
        ...linears(),
        ...activations(),
        ...convolutions(),
        ...poolings(),
        ...norms(),
        ...sequences(),
        ...nets(),
        ...examples(),
    ];
}
