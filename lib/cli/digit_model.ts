import { noGrad } from '../autograd/grad_mode.js';
import { scope } from '../autograd/scope.js';
import { MNIST_MEAN, MNIST_STD } from '../data/index.js';
import type * as nn from '../nn/index.js';
import { ModelFileError } from '../nn/model_file.js';
import { isFinite, zeros } from '../ops/index.js';
import type { Shape } from '../tensor/shape.js';
import type { ClassifierOptions } from '../train/classifier.js';
import type { ClassifierLossName } from '../train/classifier_loss.js';
import { flagName } from './flags.js';
import { loadModelFile } from './model_formats.js';
import { OF_EACH_CALL } from './resumed_flags.js';
import { OF_TRACKING } from './tracking_flags.js';
import { packageVersion } from './package_version.js';
import { CLASS_NAMES } from './results.js';
import type { TrainConfig } from './train_flags.js';

/** One MNIST image. */
const DIGIT_SHAPE = [1, 28, 28];

/** How `train` brings pixels to what its models take. */
export const TRAIN_RANGE = { mean: MNIST_MEAN, std: MNIST_STD };

/** What `train` tells of every model, and what weights without a word are taken for. */
export const DIGIT_INFO: nn.ModelInfo = {
    inputShape: DIGIT_SHAPE,
    normalization: { mean: [TRAIN_RANGE.mean], std: [TRAIN_RANGE.std] },
    classNames: CLASS_NAMES,
};

/** What concerns the machine and the place of a run, not the model. */
const RUN_OPTIONS: readonly string[] = [
    ...OF_TRACKING,
    ...OF_EACH_CALL,
    'checkpointEvery',
    'data',
    'device',
    'keepBest',
    'keepCheckpoints',
    'modelName',
    'threads',
];

/** What `train` writes into the model file next to weights and layers; it names no path and no machine. */
export function digitModelInfo(config: TrainConfig): nn.ModelInfo {
    const training: Record<string, nn.Json> = { nativegrad: packageVersion() };
    for (const [key, value] of Object.entries<nn.Json | undefined>({ ...config })) {
        if (!RUN_OPTIONS.includes(key)) training[flagName(key).slice(2)] = value ?? null;
    }
    return { ...DIGIT_INFO, loss: config.loss, training };
}

/** A model file that classifies digits. */
export interface DigitModel {
    readonly model: nn.Sequential;
    readonly range: { readonly mean: number; readonly std: number };
    readonly classNames: readonly string[];
    readonly loss: ClassifierLossName;
    /** The file holds weights alone; the layers come from the flags. */
    readonly byFlags: boolean;
    /** Parameters and statistics that hold NaN or an infinity. */
    readonly broken: readonly string[];
}

/**
 * Loads a model of `train`, or of `nn.saveModel` with the info that digits need, or one exported from those.
 *
 * @throws {SafetensorsError | OnnxError | NpyError} where the file is missing, damaged or of another kind.
 * @throws {ModelFileError} where the model is for something else, or the file does not say how images go in.
 */
export async function loadDigitModel(path: string, layers: ClassifierOptions = {}): Promise<DigitModel> {
    const { model, info, byFlags } = await loadModelFile(path, layers, DIGIT_INFO);
    const { inputShape, normalization, classNames = CLASS_NAMES } = info;
    if (inputShape === undefined || normalization === undefined) {
        const fix = 'save it with nn.saveModel(path, model, { inputShape: [1, 28, 28], normalization: … })';
        throw new ModelFileError(path, `does not say how images go in; ${fix}`);
    }
    const [mean, std] = [normalization.mean[0] ?? 0, normalization.std[0] ?? 1];
    const takesDigits = inputShape.join() === DIGIT_SHAPE.join() && normalization.mean.length === 1;
    if (!takesDigits || classNames.length !== CLASS_NAMES.length) {
        const detail = `takes images of ${inputShape.join(' x ')} in ${classNames.length} classes`;
        throw new ModelFileError(path, `${detail}, not digits of 1 x 28 x 28 in 10`);
    }
    // Images come in as float32, whatever the weights were stored as.
    checkOutputs(path, model.to('float32'));
    const loss = lossName(path, info.loss ?? 'cce');
    return { model, range: { mean, std }, classNames, loss, byFlags, broken: notFinite(model) };
}

function lossName(path: string, name: string): ClassifierLossName {
    if (name === 'cce' || name === 'mse') return name;
    const fix = "save it with loss: 'cce' (cross-entropy) or 'mse' (squared error of the softmax)";
    throw new ModelFileError(path, `was trained for the loss ${JSON.stringify(name.slice(0, 40))}; ${fix}`);
}

/** Tries one blank image, since info and layers of a file may contradict each other. */
function checkOutputs(path: string, model: nn.Sequential): void {
    let shape: Shape;
    try {
        shape = scope(() => noGrad(() => model.forward(zeros([1, ...DIGIT_SHAPE])).shape));
    } catch (cause) {
        const text = cause instanceof Error ? cause.message : String(cause);
        throw new ModelFileError(path, `its layers do not take images of 1 x 28 x 28: ${text}`, { cause });
    }
    if (shape.join() === `1,${CLASS_NAMES.length}`) return;
    throw new ModelFileError(path, `gives [${shape.join(', ')}] for one image, expected [1, 10]`);
}

function notFinite(model: nn.Module): string[] {
    return scope(() =>
        [...model.stateDict()].filter(([, x]) => isFinite(x).all().item() === 0).map(([name]) => name),
    );
}

/** The line that says which weights are of no use. */
export function brokenWarning(path: string, names: readonly string[]): string {
    const listed = names.slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '');
    const fix = 'train again with a smaller --learning_rate or with --gradient_clip 1';
    return `${path}: NaN or infinite values in ${listed}; the figures mean nothing: ${fix}`;
}
