import { ELU, GELU, Identity, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh } from '../activations.js';
import { flag, integer, number, oneOf, optional, size } from '../config_fields.js';
import { Dropout } from '../dropout.js';
import { Embedding } from '../embedding.js';
import { Flatten } from '../flatten.js';
import { Linear } from '../linear.js';
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

export const activations: readonly LayerSpec[] = [
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
