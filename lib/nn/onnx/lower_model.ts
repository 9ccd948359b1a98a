import { OnnxError } from '../../io/onnx/onnx_error.js';
import type { OnnxShape, OnnxValueInfo } from '../../io/onnx/onnx_model.js';
import { zeros } from '../../ops/create.js';
import type { DType } from '../../tensor/dtype.js';
import type { Shape } from '../../tensor/shape.js';
import { Tensor } from '../../tensor/tensor.js';
import { Sequential } from '../containers.js';
import { layerSpecs } from '../layer_specs/index.js';
import type { SequentialLayer } from '../module.js';
import { OnnxGraph } from './graph.js';

/** Sizes that differ between inputs of these batches are dynamic dimensions. */
const batches = [2, 3] as const;

/** A value of the graph, with what our own layers give for it. */
interface Value extends OnnxValueInfo {
    readonly probes: readonly [Tensor, Tensor];
}

export interface LoweredModel {
    readonly graph: OnnxGraph;
    readonly output: OnnxValueInfo;
    /** What the layers give, the output among them. */
    readonly values: ReadonlyMap<string, OnnxValueInfo>;
    /** Parameters and buffers, each once, under its first name. */
    readonly tensors: ReadonlyMap<Tensor, string>;
}

/**
 * The operators of a model in evaluation mode. Shapes come from our own layers: each runs once for two batches of zeros.
 *
 * @throws OnnxError that names the layer.
 */
export function lowerModel(model: SequentialLayer, input: string, shape: Shape, dtype: DType): LoweredModel {
    const modules = model.modules();
    const modes = modules.map(({ training }) => training);
    const tensors = new Map<Tensor, string>();
    for (const [name, tensor] of [...model.namedParameters(), ...model.namedBuffers()])
        tensors.set(tensor, name);
    const [device] = [...tensors.keys()].map((tensor) => tensor.device);
    const [two, three] = batches.map((batch) =>
        zeros([batch, ...shape], device === undefined ? { dtype } : { dtype, device }),
    ) as [Tensor, Tensor];
    const [graph, values] = [new OnnxGraph(tensors), new Map<string, OnnxValueInfo>()];
    try {
        model.eval();
        const x: Value = { name: input, dtype, shape: ['batch', ...shape], probes: [two, three] };
        return { graph, values, tensors, output: lowerLayer(model, '', x, graph, values) };
    } finally {
        modules.forEach((module, i) => (module.training = modes[i] ?? true));
    }
}

function lowerLayer(
    layer: SequentialLayer,
    path: string,
    x: Value,
    graph: OnnxGraph,
    values: Map<string, OnnxValueInfo>,
): Value {
    const name = `${layer.constructor.name}${path === '' ? '' : ` '${path}'`}`;
    const isList = layer instanceof Sequential && layer.constructor === Sequential;
    if (isList ? layer.hasHooks : layer.modules().some(({ hasHooks }) => hasHooks))
        throw new OnnxError(`[exportOnnx] ${name} has hooks, which ONNX cannot hold; remove them first`);
    if (isList) {
        return [...layer].reduce(
            (value, child, i) =>
                lowerLayer(child, path === '' ? String(i) : `${path}.${i}`, value, graph, values),
            x,
        );
    }
    const rule = layerSpecs.get(layer.constructor.name);
    if (rule === undefined || rule.write(layer) === null) {
        throw new OnnxError(
            `[exportOnnx] ${name} has a forward of its own, which is not known as operators of ONNX; export a Sequential of ` +
                'built-in layers: model.loadStateDict fills one with the weights of yours',
        );
    }
    const probes = x.probes.map((probe) => forwardOf(layer, name, probe)) as [Tensor, Tensor];
    const outputShape = dynamicShape(name, probes);
    const output = graph.at(path, () => rule.onnx(layer, graph, { ...x, outputShape })) ?? '';
    const value: Value = { name: output, dtype: probes[0].dtype, shape: outputShape, probes };
    values.set(output, { name: output, dtype: value.dtype, shape: outputShape });
    return value;
}

function forwardOf(layer: SequentialLayer, name: string, probe: Tensor): Tensor {
    try {
        const output = layer.forward(probe);
        return output instanceof Tensor ? output : output[0];
    } catch (cause) {
        const text = cause instanceof Error ? cause.message.replace(/^\w+: /, '') : String(cause);
        throw new OnnxError(
            `[exportOnnx] ${name}: ${text}; inputShape is the shape of one input, without the batch, which was ${probe.shape[0] ?? 0} here`,
            { cause },
        );
    }
}

/** Sizes that both batches have in common; those that grow with the batch get its name. */
function dynamicShape(name: string, [two, three]: readonly [Tensor, Tensor]): OnnxShape {
    return two.shape.map((size, axis) => {
        const other = three.shape[axis] ?? 0;
        if (size === other) return size;
        if (size * batches[1] !== other * batches[0])
            throw new OnnxError(
                `[exportOnnx] ${name}: axis ${axis} of its output has ${size} elements for a batch of ${batches[0]} and ${other} for ` +
                    `${batches[1]}, which is no multiple of the batch`,
            );
        const factor = size / batches[0];
        return factor === 1 ? 'batch' : `batch*${factor}`;
    });
}
