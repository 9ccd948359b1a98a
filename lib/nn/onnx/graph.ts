import { OnnxError } from '../../io/onnx/onnx_error.js';
import type {
    OnnxAttribute,
    OnnxNode,
    OnnxShape,
    OnnxTensor,
    OnnxValueInfo,
} from '../../io/onnx/onnx_model.js';
import { readInto } from '../../native/call.js';
import { fromTypedArray } from '../../ops/create.js';
import { cast, contiguous } from '../../ops/convert.js';
import { itemSize, type DType } from '../../tensor/dtype.js';
import { shapeText, sizeOf, type Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { SequentialLayer } from '../module.js';

/** What a layer's `onnx` rule is told of the layer's input and output. */
export interface OnnxInput extends OnnxValueInfo {
    readonly outputShape: OnnxShape;
}

/**
 * How a layer becomes ONNX: adds nodes to the graph and gives the name of their last value (the first output, of several). The layer
 * is in evaluation mode, and its own forward has accepted the input.
 */
export type OnnxRule<L extends SequentialLayer> = (layer: L, graph: OnnxGraph, x: OnnxInput) => string;

type Attributes = Readonly<Record<string, OnnxAttribute>>;

/** The graph of a model that is being exported. Names of values begin with `/`, which no name of a parameter does. */
export class OnnxGraph {
    readonly nodes: OnnxNode[] = [];
    /** Parameters and buffers that nodes read. */
    readonly used = new Set<string>();
    /** Where the layer lies whose rule is running: `/2`. */
    private place = '';
    private readonly names = new Set<string>();

    /** `tensors`: the model's parameters and buffers and their names, each once. */
    constructor(private readonly tensors: ReadonlyMap<Tensor, string>) {}

    /** Runs a layer's rule; what it adds is named after the layer's path. */
    at<T>(path: string, body: () => T): T {
        const before = this.place;
        this.place = path === '' ? '' : `/${path}`;
        try {
            return body();
        } finally {
            this.place = before;
        }
    }

    /** Name of a parameter or buffer of the model. */
    weight(tensor: Tensor): string {
        const name = this.tensors.get(tensor);
        if (name === undefined)
            throw new OnnxError(
                `[exportOnnx] ${this.place}: a tensor is no parameter or buffer of the model`,
            );
        this.used.add(name);
        return name;
    }

    /** Adds a call of an operator with one output, and gives that output's name. */
    node(operator: string, inputs: readonly string[], attributes: Attributes = {}): string {
        return this.nodeOf(operator, inputs, 1, attributes)[0] ?? '';
    }

    /** As `node`, for an operator of several outputs. */
    nodeOf(
        operator: string,
        inputs: readonly string[],
        outputs: number,
        attributes: Attributes = {},
    ): readonly string[] {
        const name = this.unique(`${this.place}/${operator}`);
        const own = Array.from({ length: outputs }, (_, i) => `${name}_output_${i}`);
        this.nodes.push({ name, operator, inputs, outputs: own, attributes });
        return own;
    }

    /** Numbers of a dtype as a value; by default a single one, of rank 0. */
    constant(values: number | readonly number[], dtype: DType, shape?: Shape): string {
        const list = typeof values === 'number' ? [values] : values;
        const sizes = shape ?? (typeof values === 'number' ? [] : [list.length]);
        return this.node('Constant', [], { value: { tensor: tensorOf(list, sizes, dtype) } });
    }

    /** The elements of a tensor that is no part of the model. */
    constantOf(x: Tensor): string {
        return this.node('Constant', [], { value: { tensor: bytesOf(x) } });
    }

    /** The same value in another shape; 0 stands for the input's own size there, -1 for what is left. */
    reshape(x: string, sizes: readonly number[]): string {
        return this.node('Reshape', [x, this.constant(sizes, 'int64')]);
    }

    private unique(name: string): string {
        let free = name;
        for (let i = 1; this.names.has(free); i++) free = `${name}_${i}`;
        this.names.add(free);
        return free;
    }
}

function tensorOf(values: readonly number[], shape: Shape, dtype: DType): OnnxTensor {
    if (sizeOf(shape) !== values.length)
        throw new OnnxError(`[exportOnnx] ${values.length} values for ${shapeText(shape)}`);
    return bytesOf(cast(fromTypedArray(Float64Array.from(values), shape, { device: 'cpu' }), dtype));
}

function bytesOf(x: Tensor): OnnxTensor {
    const data = new Uint8Array(x.size * itemSize(x.dtype));
    readInto(contiguous(x), data);
    return { name: '', dtype: x.dtype, shape: x.shape, data };
}

/** Sizes along some axes, which must not depend on the batch. */
export function fixedSizes(x: OnnxInput, shape: OnnxShape, ...axes: readonly number[]): number[] {
    return axes.map((axis) => {
        const size = shape.at(axis);
        if (typeof size === 'number') return size;
        throw new OnnxError(
            `[exportOnnx] ${x.name} has the shape (${shape.join(', ')}), whose axis ${axis} must not depend on the batch`,
        );
    });
}
