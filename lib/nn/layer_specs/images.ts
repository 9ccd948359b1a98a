import type { Pair } from '../../ops/pair.js';
import { flag, natural, oneOf, pairOf, size, type Field } from '../config_fields.js';
import { Conv1d, Conv2d, ConvTranspose2d } from '../conv.js';
import { AdaptiveAvgPool2d, AvgPool2d, MaxPool2d } from '../pool.js';
import * as onnx from '../onnx/convolutions.js';
import * as pools from '../onnx/poolings.js';
import { spec, type LayerSpec } from './spec.js';

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

export const convolutions: readonly LayerSpec[] = [
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
        onnx: onnx.convolution,
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
        onnx: onnx.convolution,
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
        onnx: onnx.transposedConvolution,
    }),
];

export const poolings: readonly LayerSpec[] = [
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
        onnx: pools.maxPool,
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
        onnx: pools.avgPool,
    }),
    spec({
        type: AdaptiveAvgPool2d,
        fields: { outputSize: places },
        write: ({ outputSize }) => ({ outputSize: pairValue(outputSize) }),
        build: ({ outputSize }) => new AdaptiveAvgPool2d(outputSize),
        onnx: pools.adaptiveAvgPool,
    }),
];
