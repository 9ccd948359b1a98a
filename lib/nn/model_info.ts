import {
    ConfigError,
    listOf,
    maybe,
    number,
    readFields,
    record,
    refuse,
    size,
    text,
    type Field,
    type Json,
} from './config_fields.js';

/** Inputs in [0, 1] become (x - mean) / std; one value per channel, or one for all, as for torchvision's `Normalize`. */
export interface Normalization {
    readonly mean: readonly number[];
    readonly std: readonly number[];
}

/**
 * What a program needs to use a model, next to its layers and weights. All of it is optional and travels in the model file
 * as JSON, in the header's text `nativegrad.info`.
 *
 * @example
 * import { data, nn } from 'nativegrad';
 * const info: nn.ModelInfo = {
 *     inputShape: [1, 28, 28],
 *     normalization: { mean: [data.MNIST_MEAN], std: [data.MNIST_STD] },
 *     classNames: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
 * };
 * await nn.saveModel('digits.safetensors', new nn.Sequential(new nn.Flatten(), new nn.Linear(784, 10)), info);
 * console.log((await nn.loadModel('digits.safetensors')).info.inputShape); // [1, 28, 28]
 */
export interface ModelInfo {
    /** Of one input, without the batch: `[1, 28, 28]`. */
    readonly inputShape?: readonly number[];
    /** How raw inputs are brought to what the model was trained on. */
    readonly normalization?: Normalization;
    /** One for each output of a classifier, in their order. */
    readonly classNames?: readonly string[];
    /** What it was trained for: `cce` (cross-entropy of the outputs) or `mse`; others may use names of their own. */
    readonly loss?: string;
    /** How it was trained, under the names of the program that did. */
    readonly training?: Readonly<Record<string, Json>>;
    /** Anything of your own. */
    readonly extra?: Readonly<Record<string, Json>>;
}

const positive: Field<number> = (value, place) => {
    const read = number(value, place);
    return read > 0 ? read : refuse(place, 'a number above 0', value);
};

const normalization: Field<Normalization> = (value, place) => {
    const fields = { mean: listOf(number, 65_536), std: listOf(positive, 65_536) };
    const read = readFields<Normalization>(value, place, fields);
    if (read.mean.length !== read.std.length)
        return refuse(place, 'as many means as deviations', `${read.mean.length} and ${read.std.length}`);
    return read;
};

const fields: { readonly [K in keyof Required<ModelInfo>]: Field<ModelInfo[K]> } = {
    inputShape: maybe(listOf(size, 8)),
    normalization: maybe(normalization),
    classNames: maybe(listOf(text, 1_000_000)),
    loss: maybe(text),
    training: maybe(record),
    extra: maybe(record),
};

/**
 * Checks what `saveModel` was given, or what came out of a file that anyone may have written.
 *
 * @throws ConfigError that names the field, what was expected and what came.
 */
export function readModelInfo(value: unknown): ModelInfo {
    const read = readFields<{ [K in keyof Required<ModelInfo>]: ModelInfo[K] }>(value, 'info', fields);
    const given = Object.entries(read).filter(([, field]) => field !== undefined);
    return Object.fromEntries(given);
}

/** Parses JSON of the header's text under `key`. */
export function parseHeaderJson(json: string, key: string): unknown {
    try {
        return JSON.parse(json);
    } catch (cause) {
        throw new ConfigError(`the text ${key} in its header is no JSON`, { cause });
    }
}
