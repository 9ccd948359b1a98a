import type { Pair } from '../ops/pair.js';
import { sizeOf } from '../tensor/shape.js';
import { ELU, GELU, Identity, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh } from './activations.js';
import { BatchNorm1d, BatchNorm2d, type BatchNorm, type BatchNormLayerOptions } from './batch_norm.js';
import {
    flag,
    integer,
    listOf,
    natural,
    number,
    oneOf,
    optional,
    pairOf,
    readFields,
    size,
    type Field,
    type Json,
} from './config_fields.js';
import { Conv1d, Conv2d, ConvTranspose2d } from './conv.js';
import { Dropout } from './dropout.js';
import type { InitOptions } from './draw.js';
import { Embedding } from './embedding.js';
import { Flatten } from './flatten.js';
import { Linear } from './linear.js';
import type { Layer } from './module.js';
import { GroupNorm, LayerNorm } from './norm.js';
import { AdaptiveAvgPool2d, AvgPool2d, MaxPool2d } from './pool.js';
import { LogSoftmax, Softmax } from './softmax.js';

/** How one type of layer is written to JSON and read from it. */
export interface LayerSpec {
    readonly type: string;
    /** Options of a layer of exactly this class, else null. */
    write(layer: Layer): Readonly<Record<string, Json>> | null;
    /** Options, checked, in a function that builds the layer, and how many weights and statistics it will have. */
    read(
        value: unknown,
        place: string,
    ): { readonly elements: number; readonly build: (options: InitOptions) => Layer };
}

function spec<L extends Layer, O extends Readonly<Record<string, Json>>>(rule: {
    readonly type: new (...rest: never[]) => L;
    readonly fields: { readonly [K in keyof O]: Field<O[K]> };
    readonly write: (layer: L) => O;
    readonly build: (options: O, init: InitOptions) => L;
    readonly elements?: (options: O) => number;
}): LayerSpec {
    return {
        type: rule.type.name,
        write: (layer) => {
            if (layer.constructor !== rule.type || !(layer instanceof rule.type)) return null;
            return { ...rule.write(layer) };
        },
        read: (value, place) => {
            const options = readFields(value, place, rule.fields);
            return {
                elements: rule.elements?.(options) ?? 0,
                build: (init) => rule.build(options, init),
            };
        },
    };
}

/** A layer without options. */
function plain(type: new () => Layer): LayerSpec {
    return spec({ type, fields: {}, write: () => ({}), build: () => new type() });
}

type PairValue = number | readonly [number, number];

/** The pair as JSON has it. */
function pairValue(pair: Pair): PairValue {
    return typeof pair === 'number' ? pair : [pair[0] ?? 0, pair[1] ?? 0];
}

function paddingValue(value: Pair | 'same' | 'valid'): PairValue | 'same' | 'valid' {
    return typeof value === 'string' ? value : pairValue(value);
}

const places = pairOf(size);
const margins = pairOf(natural);
const padding: Field<PairValue | 'same' | 'valid'> = (value, place) =>
    typeof value === 'string' ? oneOf('same', 'valid')(value, place) : margins(value, place);
const linePadding: Field<number | 'same' | 'valid'> = (value, place) =>
    typeof value === 'string' ? oneOf('same', 'valid')(value, place) : natural(value, place);

const channelFields = { inChannels: size, outChannels: size, groups: size, bias: flag };

function channelValues({ inChannels, outChannels, options, bias }: Conv1d | Conv2d | ConvTranspose2d): {
    inChannels: number;
    outChannels: number;
    groups: number;
    bias: boolean;
} {
    return { inChannels, outChannels, groups: options.groups ?? 1, bias: bias !== null };
}

function windowSize(kernel: PairValue): number {
    return typeof kernel === 'number' ? kernel * kernel : kernel[0] * kernel[1];
}

const convolutions: readonly LayerSpec[] = [
    spec({
        type: Conv1d,
        fields: {
            ...channelFields,
            kernelSize: size,
            stride: size,
            padding: linePadding,
            dilation: size,
        },
        write: (layer) => ({
            ...channelValues(layer),
            kernelSize: layer.weight.shape[2] ?? 1,
            stride: layer.options.stride ?? 1,
            padding: layer.options.padding ?? 0,
            dilation: layer.options.dilation ?? 1,
        }),
        build: ({ inChannels, outChannels, kernelSize, ...options }, init) =>
            new Conv1d(inChannels, outChannels, kernelSize, { ...options, ...init }),
        elements: ({ inChannels, outChannels, kernelSize, groups }) =>
            (inChannels / groups) * outChannels * kernelSize,
    }),
    spec({
        type: Conv2d,
        fields: { ...channelFields, kernelSize: places, stride: places, padding, dilation: places },
        write: (layer) => ({
            ...channelValues(layer),
            kernelSize: pairValue(layer.kernelSize),
            stride: pairValue(layer.options.stride ?? 1),
            padding: paddingValue(layer.options.padding ?? 0),
            dilation: pairValue(layer.options.dilation ?? 1),
        }),
        build: ({ inChannels, outChannels, kernelSize, ...options }, init) =>
            new Conv2d(inChannels, outChannels, kernelSize, { ...options, ...init }),
        elements: ({ inChannels, outChannels, kernelSize, groups }) =>
            (inChannels / groups) * outChannels * windowSize(kernelSize),
    }),
    spec({
        type: ConvTranspose2d,
        fields: {
            ...channelFields,
            kernelSize: places,
            stride: places,
            padding: margins,
            outputPadding: margins,
            dilation: places,
        },
        write: (layer) => ({
            ...channelValues(layer),
            kernelSize: pairValue(layer.kernelSize),
            stride: pairValue(layer.options.stride ?? 1),
            padding: pairValue(layer.options.padding ?? 0),
            outputPadding: pairValue(layer.options.outputPadding ?? 0),
            dilation: pairValue(layer.options.dilation ?? 1),
        }),
        build: ({ inChannels, outChannels, kernelSize, ...options }, init) =>
            new ConvTranspose2d(inChannels, outChannels, kernelSize, { ...options, ...init }),
        elements: ({ inChannels, outChannels, kernelSize, groups }) =>
            inChannels * (outChannels / groups) * windowSize(kernelSize),
    }),
];

const poolings: readonly LayerSpec[] = [
    spec({
        type: MaxPool2d,
        fields: { kernelSize: places, stride: places, padding: margins, dilation: places, ceilMode: flag },
        write: ({ kernelSize, options }) => ({
            kernelSize: pairValue(kernelSize),
            stride: pairValue(options.stride ?? kernelSize),
            padding: pairValue(options.padding ?? 0),
            dilation: pairValue(options.dilation ?? 1),
            ceilMode: options.ceilMode ?? false,
        }),
        build: ({ kernelSize, ...options }) => new MaxPool2d(kernelSize, options),
    }),
    spec({
        type: AvgPool2d,
        fields: {
            kernelSize: places,
            stride: places,
            padding: margins,
            ceilMode: flag,
            countIncludePad: flag,
        },
        write: ({ kernelSize, options }) => ({
            kernelSize: pairValue(kernelSize),
            stride: pairValue(options.stride ?? kernelSize),
            padding: pairValue(options.padding ?? 0),
            ceilMode: options.ceilMode ?? false,
            countIncludePad: options.countIncludePad ?? true,
        }),
        build: ({ kernelSize, ...options }) => new AvgPool2d(kernelSize, options),
    }),
    spec({
        type: AdaptiveAvgPool2d,
        fields: { outputSize: places },
        write: ({ outputSize }) => ({ outputSize: pairValue(outputSize) }),
        build: ({ outputSize }) => new AdaptiveAvgPool2d(outputSize),
    }),
];

function batchNormSpec(type: new (features: number, options: BatchNormLayerOptions) => BatchNorm): LayerSpec {
    return spec({
        type,
        fields: {
            numFeatures: size,
            eps: number,
            momentum: optional(number),
            affine: flag,
            trackRunningStats: flag,
        },
        write: ({ numFeatures, options }) => ({
            numFeatures,
            eps: options.eps ?? 1e-5,
            momentum: options.momentum === undefined ? 0.1 : options.momentum,
            affine: options.affine ?? true,
            trackRunningStats: options.trackRunningStats ?? true,
        }),
        build: ({ numFeatures, ...options }) => new type(numFeatures, options),
        elements: ({ numFeatures, affine, trackRunningStats }) =>
            numFeatures * ((affine ? 2 : 0) + (trackRunningStats ? 2 : 0)),
    });
}

const normalizations: readonly LayerSpec[] = [
    batchNormSpec(BatchNorm1d),
    batchNormSpec(BatchNorm2d),
    spec({
        type: LayerNorm,
        fields: { normalizedShape: listOf(size, 8), eps: number, elementwiseAffine: flag, bias: flag },
        write: ({ normalizedShape, options, weight, bias }) => ({
            normalizedShape,
            eps: options.eps ?? 1e-5,
            elementwiseAffine: weight !== null,
            bias: bias !== null,
        }),
        build: ({ normalizedShape, ...options }) => new LayerNorm(normalizedShape, options),
        elements: ({ normalizedShape, elementwiseAffine }) =>
            elementwiseAffine ? sizeOf(normalizedShape) : 0,
    }),
    spec({
        type: GroupNorm,
        fields: { numGroups: size, numChannels: size, eps: number, affine: flag },
        write: ({ numGroups, numChannels, options, weight }) => ({
            numGroups,
            numChannels,
            eps: options.eps ?? 1e-5,
            affine: weight !== null,
        }),
        build: ({ numGroups, numChannels, ...options }) => new GroupNorm(numGroups, numChannels, options),
        elements: ({ numChannels, affine }) => (affine ? 2 * numChannels : 0),
    }),
];

const others: readonly LayerSpec[] = [
    spec({
        type: Linear,
        fields: { inFeatures: size, outFeatures: size, bias: flag },
        write: ({ inFeatures, outFeatures, bias }) => ({ inFeatures, outFeatures, bias: bias !== null }),
        build: ({ inFeatures, outFeatures, bias }, init) =>
            new Linear(inFeatures, outFeatures, { bias, ...init }),
        elements: ({ inFeatures, outFeatures }) => inFeatures * outFeatures,
    }),
    spec({
        type: Embedding,
        fields: { numEmbeddings: size, embeddingDim: size, paddingIndex: optional(integer) },
        write: ({ numEmbeddings, embeddingDim, paddingIndex }) => ({
            numEmbeddings,
            embeddingDim,
            paddingIndex: paddingIndex ?? null,
        }),
        build: ({ numEmbeddings, embeddingDim, paddingIndex }, init) =>
            new Embedding(numEmbeddings, embeddingDim, {
                ...init,
                ...(paddingIndex === null ? {} : { paddingIndex }),
            }),
        elements: ({ numEmbeddings, embeddingDim }) => numEmbeddings * embeddingDim,
    }),
    spec({
        type: Flatten,
        fields: { start: integer, end: integer },
        write: ({ start, end }) => ({ start, end }),
        build: ({ start, end }) => new Flatten(start, end),
    }),
    spec({
        type: Dropout,
        fields: { p: number },
        write: ({ p }) => ({ p }),
        build: ({ p }) => new Dropout(p),
    }),
];

const activations: readonly LayerSpec[] = [
    ...[Identity, ReLU, SiLU, Sigmoid, Tanh].map(plain),
    spec({
        type: LeakyReLU,
        fields: { negativeSlope: number },
        write: ({ negativeSlope }) => ({ negativeSlope }),
        build: ({ negativeSlope }) => new LeakyReLU(negativeSlope),
    }),
    spec({
        type: ELU,
        fields: { alpha: number },
        write: ({ alpha }) => ({ alpha }),
        build: ({ alpha }) => new ELU(alpha),
    }),
    spec({
        type: GELU,
        fields: { approximate: oneOf('none', 'tanh') },
        write: ({ approximate }) => ({ approximate }),
        build: ({ approximate }) => new GELU(approximate),
    }),
    spec({
        type: Softplus,
        fields: { beta: number, threshold: number },
        write: ({ beta, threshold }) => ({ beta, threshold }),
        build: ({ beta, threshold }) => new Softplus(beta, threshold),
    }),
    ...[Softmax, LogSoftmax].map((type) =>
        spec({
            type,
            fields: { axis: integer },
            write: ({ axis }: Softmax | LogSoftmax) => ({ axis }),
            build: ({ axis }) => new type(axis),
        }),
    ),
];

/** Every layer that a saved architecture may hold, but for `Sequential`. */
export const layerSpecs: ReadonlyMap<string, LayerSpec> = new Map(
    [...others, ...activations, ...convolutions, ...poolings, ...normalizations].map((rule) => [
        rule.type,
        rule,
    ]),
);
