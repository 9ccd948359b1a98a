import { noGrad } from '../../autograd/grad_mode.js';
import { scope } from '../../autograd/scope.js';
import { writeFileAtomic } from '../../io/atomic_file.js';
import { encodeOnnx } from '../../io/onnx/encode_onnx.js';
import { OnnxError } from '../../io/onnx/onnx_error.js';
import type { OnnxModel, OnnxNode, OnnxTensor } from '../../io/onnx/onnx_model.js';
import { loadWire } from '../../io/onnx/wire.js';
import { encodeSafetensors } from '../../io/safetensors.js';
import { describeValue } from '../../support/describe_value.js';
import { requireOptionNames } from '../../support/option_names.js';
import { isFloat, requireDtype, type DType } from '../../tensor/dtype.js';
import { checkShape, type Shape } from '../../tensor/shape.js';
import { entriesOf } from '../../tensor/tensor_file.js';
import { ConfigError, toConfig } from '../config.js';
import { Sequential } from '../containers.js';
import { Module, type SequentialLayer } from '../module.js';
import { readModelInfo, type ModelInfo } from '../model_info.js';
import { modelKeys } from '../model_texts.js';
import { lowerModel, type LoweredModel } from './lower_model.js';
import { unusedKey } from './unused_key.js';

/** Operators of this version of ONNX are written (ONNX 1.12, 2022); runtimes read it for good. */
const opset = 17;

/** What `exportOnnx` takes besides model and path. */
export interface ExportOnnxOptions {
    /** Of one input, without the batch: `[1, 28, 28]`. Default: that of `info`. */
    readonly inputShape?: Shape;
    /** Of the input. Default: that of the parameters; int64 where an `Embedding` comes first. */
    readonly dtype?: DType;
    /** Default: `input`. */
    readonly inputName?: string;
    /** Default: `output`. */
    readonly outputName?: string;
    /** Travels in the file, as in that of `saveModel`. */
    readonly info?: ModelInfo;
}

/**
 * Writes a model as ONNX (opset 17, IR version 8), like PyTorch's `torch.onnx.export`, so that ONNX Runtime and others run it. The
 * batch is a dynamic dimension named `batch`. Written is what the model does in evaluation mode: dropout does nothing, batch norm
 * takes its running statistics. Initializers have the names of `stateDict()`; weights are copied before the function returns its
 * promise, the file is written atomically. `loadOnnx` and `nativegrad evaluate` read it back.
 *
 * A `Sequential` of built-in layers, or one built-in layer, can be exported, and modules with an `onnx` method (`OnnxModule`). Parameters may be float32, float64 or float16; not
 * every runtime has every operator for the last two.
 *
 * @throws OnnxError for a module with a forward of its own and no `onnx` method, a layer with forward hooks, a shape that the layers do not take with any
 * batch, bfloat16, or more than 2 GB; TypeError and RangeError for wrong options; FileWriteError where the file cannot be written
 * (the old file stands then).
 * @example
 * ```ts
 * import { tmpdir } from 'node:os';
 * import { join } from 'node:path';
 * import { nn } from 'nativegrad';
 * const model = new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU(), new nn.Linear(8, 2));
 * const path = join(tmpdir(), 'model.onnx');
 * await nn.exportOnnx(model, path, { inputShape: [4] });
 * console.log((await nn.loadOnnx(path)).model.length); // 3
 * ```
 */
export async function exportOnnx(
    model: SequentialLayer,
    path: string,
    options: ExportOnnxOptions = {},
): Promise<void> {
    if (!(model instanceof Module))
        throw new TypeError(`[exportOnnx] expected a model, got ${describeValue(model)}`);
    const { inputName, outputName, dtype, shape, info } = readOptions(model, options);
    const lowered = scope(() => noGrad(() => lowerModel(model, inputName, shape, dtype)));
    const entries = await entriesOf([...lowered.tensors].map(([tensor, name]) => [name, tensor]));
    const isUsed = ({ name }: OnnxTensor): boolean => lowered.graph.used.has(name);
    const { output, values } = lowered;
    const content: OnnxModel = {
        opset,
        producer: 'nativegrad',
        graphName: 'nativegrad',
        nodes: namedNodes(lowered, outputName),
        initializers: entries.filter(isUsed),
        inputs: [{ name: inputName, dtype, shape: ['batch', ...shape] }],
        outputs: [{ name: outputName, dtype: output.dtype, shape: output.shape }],
        values: [...values.values()].filter(({ name }) => name !== inputName && name !== output.name),
        metadata: {
            [unusedKey]: unusedTensors(entries.filter((entry) => !isUsed(entry))),
            // The end of the file, so that one that is cut short has none.
            ...textsOf(model, info),
        },
    };
    await writeFileAtomic(path, encodeOnnx(content, await loadWire()));
}

/** The last value gets the output's name; an input or a weight that is handed on needs an operator that does. */
function namedNodes({ graph, output }: LoweredModel, outputName: string): readonly OnnxNode[] {
    const { name: last } = output;
    if (!graph.nodes.some(({ outputs }) => outputs.includes(last))) {
        const identity = { name: '/Identity', operator: 'Identity', attributes: {} };
        return [...graph.nodes, { ...identity, inputs: [last], outputs: [outputName] }];
    }
    const renamed = (name: string): string => (name === last ? outputName : name);
    return graph.nodes.map((node) => ({
        ...node,
        inputs: node.inputs.map(renamed),
        outputs: node.outputs.map(renamed),
    }));
}

interface Wanted {
    readonly inputName: string;
    readonly outputName: string;
    readonly dtype: DType;
    readonly shape: Shape;
    readonly info: ModelInfo;
}

function readOptions(model: SequentialLayer, options: ExportOnnxOptions): Wanted {
    requireOptionNames('[exportOnnx]', options, ['inputShape', 'dtype', 'inputName', 'outputName', 'info']);
    const { inputName = 'input', outputName = 'output' } = options;
    const info = readModelInfo(options.info ?? {});
    const shape = options.inputShape ?? info.inputShape;
    if (shape === undefined)
        throw new TypeError('[exportOnnx] inputShape is missing: the shape of one input, like [1, 28, 28]');
    checkShape('exportOnnx', shape);
    if (shape.includes(0)) throw new RangeError('[exportOnnx] inputShape must not hold 0');
    const dtype = options.dtype ?? inputDtype(model);
    requireDtype('exportOnnx', dtype);
    requireDtypes(model, dtype);
    for (const name of [inputName, outputName]) {
        const isName = typeof name === 'string' && name !== '' && !name.startsWith('/');
        if (!isName || model.stateDict().has(name) || inputName === outputName)
            throw new TypeError(
                `[exportOnnx] inputName and outputName must be two texts that no parameter has and that do not begin with '/', got ${describeValue(name)}`,
            );
    }
    return { inputName, outputName, dtype, shape: [...shape], info: { ...info, inputShape: [...shape] } };
}

/** Operators take floats of one dtype. */
function requireDtypes(model: SequentialLayer, dtype: DType): void {
    const floats = [dtype, ...model.parameters().map((parameter) => parameter.dtype)].filter(isFloat);
    const kinds = [...new Set(floats)];
    if (kinds.length <= 1 && kinds[0] !== 'bfloat16') return;
    throw new OnnxError(
        `[exportOnnx] input and parameters must be of one dtype, float32, float64 or float16, got ${kinds.join(', ')}; use model.to('float32')`,
    );
}

/** The dtype of the first layer's parameters; indices where it looks them up. */
function inputDtype(model: SequentialLayer): DType {
    const [first = model] = model.modules().filter((module) => module.children().length === 0);
    if (first.constructor.name === 'Embedding') return 'int64';
    return model.parameters()[0]?.dtype ?? 'float32';
}

/** Without an architecture where the layers cannot be told in JSON; the file runs elsewhere all the same. */
function textsOf(model: SequentialLayer, info: ModelInfo): Record<string, string> {
    const text = { [modelKeys.info]: JSON.stringify(info) };
    if (!(model instanceof Sequential)) return text;
    try {
        return { ...text, [modelKeys.architecture]: JSON.stringify(toConfig(model)) };
    } catch (error) {
        if (error instanceof ConfigError) return text;
        throw error;
    }
}

function unusedTensors(entries: readonly OnnxTensor[]): string {
    return Buffer.from(encodeSafetensors(entries)).toString('base64');
}
