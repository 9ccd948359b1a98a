import { OnnxError } from '../../io/onnx/onnx_error.js';
import type { OnnxAttribute, OnnxShape, OnnxValueInfo } from '../../io/onnx/onnx_model.js';
import { cast } from '../../ops/convert.js';
import { zeros } from '../../ops/create.js';
import { Generator } from '../../ops/generator.js';
import { randn } from '../../ops/random.js';
import { isFloat, type DType } from '../../tensor/dtype.js';
import { sameShape, shapeText, type Shape } from '../../tensor/shape.js';
import { Tensor } from '../../tensor/tensor.js';
import { Sequential } from '../containers.js';
import { layerSpecs } from '../layer_specs/index.js';
import type { Module, SequentialLayer } from '../module.js';
import { hasOnnx, type OnnxBuilder, type OnnxValue } from './builder.js';
import { OnnxGraph } from './graph.js';

/** Sizes that differ between inputs of these batches are dynamic dimensions. */
const batches = [2, 3] as const;

/** A class derived from `Sequential` may have another one. */
const chain: unknown = Reflect.get(Sequential.prototype, 'forward');

type Probes = OnnxValue['probes'];

export interface LoweredModel {
    readonly graph: OnnxGraph;
    readonly output: OnnxValueInfo;
    /** What is known of the values between input and output. */
    readonly values: ReadonlyMap<string, OnnxValueInfo>;
    /** Parameters and buffers, each once, under its first name. */
    readonly tensors: ReadonlyMap<Tensor, string>;
}

/**
 * The operators of a model in evaluation mode. Shapes come from our own layers, which run for two batches.
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
    const place = device === undefined ? {} : { device };
    const [two, three] = batches.map((batch) => {
        const sizes = [batch, ...shape];
        // Indices must be those of a table of any size.
        if (!isFloat(dtype)) return zeros(sizes, { dtype, ...place });
        return cast(randn(sizes, { generator: new Generator(batch), ...place }), dtype);
    }) as [Tensor, Tensor];
    const lowering = new Lowering(model, tensors);
    try {
        model.eval();
        const x = { name: input, dtype, shape: ['batch', ...shape], probes: [two, three] as const };
        const output = lowering.layer(model, x);
        return { graph: lowering.graph, values: lowering.values, tensors, output };
    } finally {
        modules.forEach((module, i) => (module.training = modes[i] ?? true));
    }
}

class Lowering implements OnnxBuilder {
    readonly graph: OnnxGraph;
    readonly values = new Map<string, OnnxValueInfo>();
    private readonly paths: ReadonlyMap<Module, string>;

    constructor(
        model: Module,
        private readonly tensors: ReadonlyMap<Tensor, string>,
    ) {
        this.graph = new OnnxGraph(tensors);
        this.paths = new Map(model.namedModules().map(([path, module]) => [module, path]));
    }

    layer(layer: SequentialLayer, x: OnnxValue): OnnxValue {
        const path = this.paths.get(layer) ?? '';
        const name = `${layer.constructor.name}${path === '' ? '' : ` '${path}'`}`;
        const isList =
            layer instanceof Sequential &&
            Reflect.get(Object.getPrototypeOf(layer) as object, 'forward') === chain;
        const isWhole = isList || hasOnnx(layer);
        if (isWhole ? layer.hasHooks : layer.modules().some(({ hasHooks }) => hasHooks))
            throw new OnnxError(`[exportOnnx] ${name} has hooks, which ONNX cannot hold; remove them first`);
        if (hasOnnx(layer)) return this.graph.at(path, () => checked(layer, name, x, layer.onnx(this, x)));
        if (isList) return [...layer].reduce((value, child) => this.layer(child, value), x);
        const rule = layerSpecs.get(layer.constructor.name);
        if (rule === undefined || rule.write(layer) === null) {
            throw new OnnxError(
                `[exportOnnx] ${name} has a forward of its own; give it a method onnx(builder, x) that says how operators of ONNX do ` +
                    'the same (nn.OnnxModule)',
            );
        }
        const probes = forEach(x.probes, (probe) => forwardOf(layer, name, probe));
        const outputShape = dynamicShape(name, probes);
        const output = this.graph.at(path, () => rule.onnx(layer, this.graph, { ...x, outputShape })) ?? '';
        return this.value(output, outputShape, probes);
    }

    operator(
        name: string,
        inputs: readonly OnnxValue[],
        compute: (...inputs: Tensor[]) => Tensor,
        attributes: Readonly<Record<string, OnnxAttribute>> = {},
    ): OnnxValue {
        const probes: Probes = [
            compute(...inputs.map((input) => input.probes[0])),
            compute(...inputs.map((input) => input.probes[1])),
        ];
        const output = this.graph.node(
            name,
            inputs.map((input) => input.name),
            attributes,
        );
        return this.value(output, dynamicShape(name, probes), probes);
    }

    tensor(x: Tensor): OnnxValue {
        const name = this.tensors.has(x) ? this.graph.weight(x) : this.graph.constantOf(x);
        return { name, dtype: x.dtype, shape: x.shape, probes: [x, x] };
    }

    private value(name: string, shape: OnnxShape, probes: Probes): OnnxValue {
        const { dtype } = probes[0];
        this.values.set(name, { name, dtype, shape });
        return { name, dtype, shape, probes };
    }
}

const forEach = ([two, three]: Probes, body: (probe: Tensor) => Tensor): Probes => [body(two), body(three)];

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

/** What a module's own rule gives, where it is what its forward gives. */
function checked(layer: SequentialLayer, name: string, x: OnnxValue, value: OnnxValue): OnnxValue {
    for (const [i, probe] of x.probes.entries()) {
        const expected = forwardOf(layer, name, probe);
        const found = value?.probes?.[i];
        if (!(found instanceof Tensor))
            throw new OnnxError(`[exportOnnx] ${name}: its method onnx must give a value of the builder`);
        const shapes = `${shapeText(found.shape)} ${found.dtype}, its forward ${shapeText(expected.shape)} ${expected.dtype}`;
        if (!sameShape(found.shape, expected.shape) || found.dtype !== expected.dtype)
            throw new OnnxError(`[exportOnnx] ${name}: its method onnx gives ${shapes}`);
        const [difference, scale] = [found.sub(expected), expected].map((y) =>
            y.to('float32').abs().max().item(),
        );
        const share = expected.dtype === 'float16' ? 1e-2 : 1e-4;
        // Nothing can be said where the forward gives NaN for noise.
        if (!Number.isNaN(scale) && !((difference ?? 0) <= share * (scale ?? 0)))
            throw new OnnxError(
                `[exportOnnx] ${name}: its method onnx gives other numbers than its forward: they differ by ${difference ?? 0} where ` +
                    `the largest is ${scale ?? 0}`,
            );
    }
    return value;
}

/** Sizes that both batches have in common; those that grow with the batch get its name. */
function dynamicShape(name: string, [two, three]: Probes): OnnxShape {
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
