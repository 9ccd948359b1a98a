import { ELU, GELU, Identity, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh } from '../activations.js';
import { flag, integer, number, oneOf, optional, size } from '../config_fields.js';
import { Dropout } from '../dropout.js';
import { Embedding } from '../embedding.js';
import { Flatten } from '../flatten.js';
import { Linear } from '../linear.js';
import * as functions from '../onnx/activations.js';
import * as onnx from '../onnx/basics.js';
import { LogSoftmax, Softmax } from '../softmax.js';
import { plain, spec, type LayerSpec } from './spec.js';

export const basics: readonly LayerSpec[] = [
    spec({
        type: Linear,
        fields: { inFeatures: size, outFeatures: size, bias: flag },
        write: ({ inFeatures, outFeatures, bias }) => ({ inFeatures, outFeatures, bias: bias !== null }),
        build: ({ inFeatures, outFeatures, bias }, init) =>
            new Linear(inFeatures, outFeatures, { bias, ...init }),
        elements: ({ inFeatures, outFeatures }) => inFeatures * outFeatures,
        onnx: onnx.linear,
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
        onnx: onnx.embedding,
    }),
    spec({
        type: Flatten,
        fields: { start: integer, end: integer },
        write: ({ start, end }) => ({ start, end }),
        build: ({ start, end }) => new Flatten(start, end),
        onnx: onnx.flatten,
    }),
    spec({
        type: Dropout,
        fields: { p: number },
        write: ({ p }) => ({ p }),
        build: ({ p }) => new Dropout(p),
        onnx: onnx.unchanged,
    }),
];

export const activations: readonly LayerSpec[] = [
    plain(Identity, onnx.unchanged),
    plain(ReLU, functions.relu),
    plain(SiLU, functions.silu),
    plain(Sigmoid, functions.operator('Sigmoid')),
    plain(Tanh, functions.operator('Tanh')),
    spec({
        type: LeakyReLU,
        fields: { negativeSlope: number },
        write: ({ negativeSlope }) => ({ negativeSlope }),
        build: ({ negativeSlope }) => new LeakyReLU(negativeSlope),
        onnx: functions.leakyRelu,
    }),
    spec({
        type: ELU,
        fields: { alpha: number },
        write: ({ alpha }) => ({ alpha }),
        build: ({ alpha }) => new ELU(alpha),
        onnx: functions.elu,
    }),
    spec({
        type: GELU,
        fields: { approximate: oneOf('none', 'tanh') },
        write: ({ approximate }) => ({ approximate }),
        build: ({ approximate }) => new GELU(approximate),
        onnx: functions.gelu,
    }),
    spec({
        type: Softplus,
        fields: { beta: number, threshold: number },
        write: ({ beta, threshold }) => ({ beta, threshold }),
        build: ({ beta, threshold }) => new Softplus(beta, threshold),
        onnx: functions.softplus,
    }),
    ...[Softmax, LogSoftmax].map((type) =>
        spec({
            type,
            fields: { axis: integer },
            write: ({ axis }: Softmax | LogSoftmax) => ({ axis }),
            build: ({ axis }) => new type(axis),
            onnx: functions.softmax(type.name),
        }),
    ),
];
