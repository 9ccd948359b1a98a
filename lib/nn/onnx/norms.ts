import { sizeOf, type Shape } from '../../tensor/shape.js';
import type { BatchNorm } from '../batch_norm.js';
import type { GroupNorm, LayerNorm } from '../norm.js';
import type { Parameter } from '../parameter.js';
import type { OnnxGraph, OnnxInput, OnnxRule } from './graph.js';

/** A learned factor or offset, else the number that changes nothing. */
function affine(
    graph: OnnxGraph,
    x: OnnxInput,
    parameter: Parameter | null,
    neutral: 0 | 1,
    shape: Shape,
): string {
    if (parameter) return graph.weight(parameter);
    const values = Array.from({ length: sizeOf(shape) }, () => neutral);
    return graph.constant(values, x.dtype, shape);
}

export const batchNorm: OnnxRule<BatchNorm> = (layer, graph, x) => {
    const { weight, bias, numFeatures, runningMean, runningVar, options } = layer;
    const [factor, offset] = [
        affine(graph, x, weight, 1, [numFeatures]),
        affine(graph, x, bias, 0, [numFeatures]),
    ];
    const eps = options.eps ?? 1e-5;
    if (!runningMean || !runningVar) return byBatch(layer, graph, x, eps);
    const statistics = [graph.weight(runningMean), graph.weight(runningVar)];
    return graph.node('BatchNormalization', [x.name, factor, offset, ...statistics], {
        epsilon: { float: eps },
    });
};

/** A layer without running statistics takes those of its batch, in evaluation as well. */
function byBatch({ weight, bias }: BatchNorm, graph: OnnxGraph, x: OnnxInput, eps: number): string {
    const axes = x.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
    const mean = (value: string): string => graph.node('ReduceMean', [value], { axes: { ints: axes } });
    const centred = graph.node('Sub', [x.name, mean(x.name)]);
    const variance = mean(graph.node('Mul', [centred, centred]));
    const deviation = graph.node('Sqrt', [graph.node('Add', [variance, graph.constant(eps, x.dtype)])]);
    return perChannel(graph, x, graph.node('Div', [centred, deviation]), weight, bias);
}

/** y times a factor plus an offset of each channel, where they are learned. */
function perChannel(
    graph: OnnxGraph,
    x: OnnxInput,
    y: string,
    weight: Parameter | null,
    bias: Parameter | null,
): string {
    const sizes = [-1, ...x.shape.slice(2).map(() => 1)];
    const scaled = weight ? graph.node('Mul', [y, graph.reshape(graph.weight(weight), sizes)]) : y;
    return bias ? graph.node('Add', [scaled, graph.reshape(graph.weight(bias), sizes)]) : scaled;
}

export const layerNorm: OnnxRule<LayerNorm> = ({ normalizedShape, weight, bias, options }, graph, x) => {
    const factor = affine(graph, x, weight, 1, normalizedShape);
    return graph.node('LayerNormalization', [x.name, factor, ...(bias ? [graph.weight(bias)] : [])], {
        axis: { int: -normalizedShape.length },
        epsilon: { float: options.eps ?? 1e-5 },
    });
};

/** Opset 17 has no GroupNormalization: a group is an instance of one long channel. */
export const groupNorm: OnnxRule<GroupNorm> = ({ numGroups, weight, bias, options }, graph, x) => {
    const one = affine(graph, x, null, 1, [numGroups]);
    const zero = affine(graph, x, null, 0, [numGroups]);
    const groups = graph.reshape(x.name, [0, numGroups, -1]);
    const normal = graph.node('InstanceNormalization', [groups, one, zero], {
        epsilon: { float: options.eps ?? 1e-5 },
    });
    const y = graph.node('Reshape', [normal, graph.node('Shape', [x.name])]);
    return perChannel(graph, x, y, weight, bias);
};
