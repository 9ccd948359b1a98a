import { sizeOf } from '../../tensor/shape.js';
import { BatchNorm1d, BatchNorm2d, type BatchNorm, type BatchNormLayerOptions } from '../batch_norm.js';
import { flag, listOf, number, optional, size } from '../config_fields.js';
import { GroupNorm, LayerNorm } from '../norm.js';
import * as onnx from '../onnx/norms.js';
import { spec, type LayerSpec } from './spec.js';

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
        onnx: onnx.batchNorm,
    });
}

export const normalizations: readonly LayerSpec[] = [
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
        onnx: onnx.layerNorm,
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
        onnx: onnx.groupNorm,
    }),
];
