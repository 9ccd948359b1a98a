import * as ng from '../../../lib/index.js';
import type { Pair } from '../../../lib/index.js';
import { optionalAt, tensorAt, type GoldenCalls } from './call.js';

export const convolutions: GoldenCalls = {
    conv1d: (operands, options) =>
        ng.conv1d(tensorAt(operands, 0), tensorAt(operands, 1), optionalAt(operands, 2), options),
    conv2d: (operands, options) =>
        ng.conv2d(tensorAt(operands, 0), tensorAt(operands, 1), optionalAt(operands, 2), options),
    conv_transpose2d: (operands, options) =>
        ng.convTranspose2d(tensorAt(operands, 0), tensorAt(operands, 1), optionalAt(operands, 2), options),
};

export const pooling: GoldenCalls = {
    avg_pool2d: (operands, { kernelSize, ...options }) =>
        ng.avgPool2d(tensorAt(operands, 0), kernelSize as Pair, options),
    adaptive_avg_pool2d: (operands, { outputSize }) =>
        ng.adaptiveAvgPool2d(tensorAt(operands, 0), outputSize as Pair),
    interpolate: (operands, options) => ng.interpolate(tensorAt(operands, 0), options),
    max_pool2d: (operands, { kernelSize, ...options }) =>
        ng.maxPool2d(tensorAt(operands, 0), kernelSize as Pair, options),
};

export const normalization: GoldenCalls = {
    layer_norm: (operands, { normalizedShape, ...options }) =>
        ng.layerNorm(
            tensorAt(operands, 0),
            normalizedShape as number[],
            optionalAt(operands, 1),
            optionalAt(operands, 2),
            options,
        ),
    group_norm: (operands, { groups, ...options }) =>
        ng.groupNorm(
            tensorAt(operands, 0),
            groups as number,
            optionalAt(operands, 1),
            optionalAt(operands, 2),
            options,
        ),
    batch_norm: (operands, options) => {
        const [mean, variance] = [tensorAt(operands, 3).clone(), tensorAt(operands, 4).clone()];
        const [weight, bias] = [tensorAt(operands, 1), tensorAt(operands, 2)];
        const y = ng.batchNorm(tensorAt(operands, 0), weight, bias, mean, variance, options);
        return [y, mean, variance];
    },
};
