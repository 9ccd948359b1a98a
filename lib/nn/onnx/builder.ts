import type { OnnxAttribute, OnnxShape, OnnxValueInfo } from '../../io/onnx/onnx_model.js';
import type { DType } from '../../tensor/dtype.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Module, SequentialLayer } from '../module.js';

/** A value of a graph that is being exported. */
export interface OnnxValue extends OnnxValueInfo {
    readonly name: string;
    readonly dtype: DType;
    /** Sizes that depend on the batch are texts. */
    readonly shape: OnnxShape;
    /** @internal What our own functions give for two batches. */
    readonly probes: readonly [Tensor, Tensor];
}

/** Makes values of others, for the `onnx` method of a module of your own. */
export interface OnnxBuilder {
    /** Adds a layer, or a module with an `onnx` method; of several outputs the first one is given. */
    layer(layer: SequentialLayer, x: OnnxValue): OnnxValue;
    /**
     * Adds an operator of ONNX (opset 17) with one output. `compute` does the same with our functions, and so says which shape comes out.
     * What it gives in the end is held against the module's forward.
     */
    operator(
        name: string,
        inputs: readonly OnnxValue[],
        compute: (...inputs: Tensor[]) => Tensor,
        attributes?: Readonly<Record<string, OnnxAttribute>>,
    ): OnnxValue;
    /** A parameter or buffer of the model, under its own name; any other tensor as a constant. */
    tensor(x: Tensor): OnnxValue;
}

/**
 * A module of your own that can be exported: next to its forward, how the same is done by operators of ONNX.
 *
 * @example
 * ```ts
 * import { tmpdir } from 'node:os';
 * import { join } from 'node:path';
 * import { add, nn, type Tensor } from 'nativegrad';
 * class Residual extends nn.Module implements nn.OnnxModule {
 *     readonly body = new nn.Sequential(new nn.Linear(4, 4), new nn.ReLU());
 *     forward(x: Tensor): Tensor {
 *         return add(x, this.body.forward(x));
 *     }
 *     onnx(builder: nn.OnnxBuilder, x: nn.OnnxValue): nn.OnnxValue {
 *         return builder.operator('Add', [x, builder.layer(this.body, x)], add);
 *     }
 * }
 * const model = new nn.Sequential(new Residual(), new nn.Linear(4, 2));
 * await nn.exportOnnx(model, join(tmpdir(), 'residual.onnx'), { inputShape: [4] });
 * ```
 */
export interface OnnxModule extends Module {
    onnx(builder: OnnxBuilder, x: OnnxValue): OnnxValue;
}

export function hasOnnx(module: Module): module is Module & OnnxModule {
    return 'onnx' in module && typeof module.onnx === 'function';
}
