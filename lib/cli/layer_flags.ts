import type { ClassifierOptions } from '../train/classifier.js';
import { flagName, readFlags } from './flags.js';
import type { Flag, RawFlags } from './flags.js';
import { requireOddKernel, TRAIN_FLAGS } from './train_flags.js';

function forWeights<T>(flag: Flag<T>): Flag<T> {
    return {
        ...flag,
        description: `of a file that holds weights alone (.npz, .safetensors): ${flag.description}`,
    };
}

/** The flags of `train` that say which layers a network has; every other file of a model says so itself. */
export const LAYER_FLAGS = {
    architecture: forWeights(TRAIN_FLAGS.architecture),
    hiddenSizes: forWeights(TRAIN_FLAGS.hiddenSizes),
    convChannels: forWeights(TRAIN_FLAGS.convChannels),
    kernelSize: forWeights(TRAIN_FLAGS.kernelSize),
    activation: forWeights(TRAIN_FLAGS.activation),
    useBatchNorm: forWeights(TRAIN_FLAGS.useBatchNorm),
    dropoutRate: forWeights(TRAIN_FLAGS.dropoutRate),
} as const;

/** @throws {UsageError} naming the flag, what was expected and what came. */
export function readLayerFlags(raw: RawFlags): ClassifierOptions {
    const { hiddenSizes, convChannels, ...flags } = readFlags(LAYER_FLAGS, raw);
    requireOddKernel(flags.kernelSize);
    return {
        ...flags,
        ...(hiddenSizes === undefined ? {} : { hiddenSizes }),
        ...(convChannels === undefined ? {} : { convChannels }),
    };
}

/** A line where such flags were given for a file that does not need them. */
export function layerFlagsWarning(raw: RawFlags, path: string): string | undefined {
    const given = Object.keys(LAYER_FLAGS).filter((key) => raw[key] !== undefined);
    if (given.length === 0) return undefined;
    return `${given.map(flagName).join(', ')} without effect: ${path} says itself which layers it has`;
}
