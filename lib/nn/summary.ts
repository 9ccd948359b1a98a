import { noGrad } from '../autograd/grad_mode.js';
import { scope } from '../autograd/scope.js';
import { zeros } from '../ops/create.js';
import { itemSize, type DType } from '../tensor/dtype.js';
import { alignedRows } from '../support/text_table.js';
import { describeValue } from '../support/describe_value.js';
import { shapeText, sizeOf, type Shape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import type { Module } from './module.js';

/** One layer of a summary. */
export interface LayerSummary {
    /** Path in the model; '' for the model itself. */
    readonly path: string;
    readonly type: string;
    /** How deep it lies, 0 for the model itself. */
    readonly depth: number;
    /** Shape of its output, or of the first of several; null where it was not called or gave no tensor. */
    readonly outputShape: Shape | null;
    /** Elements of its own parameters, without those of its children; shared ones count at their first layer. */
    readonly parameters: number;
    readonly trainable: number;
    /** Multiplications with additions of one forward: parameters, biases included, times the positions they act on. */
    readonly multAdds: number;
}

/** What `summary()` finds; as a string it is a table. */
export interface ModelSummary {
    readonly layers: readonly LayerSummary[];
    readonly inputShape: Shape;
    readonly parameters: number;
    readonly trainable: number;
    readonly multAdds: number;
    readonly inputBytes: number;
    readonly parameterBytes: number;
    /** Outputs of the layers with parameters, twice (forward and backward), as torchinfo estimates it. */
    readonly activationBytes: number;
    toString(): string;
}

export interface SummaryOptions {
    /** Of the input; default: that of the first float parameter, else float32. */
    readonly dtype?: DType;
}

interface Call {
    outputShape: Shape | null;
    bytes: number;
    places: number;
}

/** Runs the model once on zeros, in evaluation mode, and notes what each layer gave. */
function trace(model: Module, input: Tensor): Map<Module, Call> {
    const calls = new Map<Module, Call>();
    const modules = model.modules();
    const modes = modules.map(({ training }) => training);
    const removers = modules.map((module) =>
        module.registerForwardHook((_, [x], output) => {
            const y: unknown = Array.isArray(output) ? output[0] : output;
            if (y instanceof Tensor) {
                const before = calls.get(module);
                calls.set(module, {
                    outputShape: y.shape,
                    bytes: (before?.bytes ?? 0) + y.size * itemSize(y.dtype),
                    places: (before?.places ?? 0) + (x instanceof Tensor ? module.positions(x, y) : 0),
                });
            }
            return undefined;
        }),
    );
    try {
        model.eval();
        const forward = Reflect.get(model, 'forward') as (x: Tensor) => unknown;
        scope(() => noGrad(() => void forward(input)));
    } finally {
        for (const remove of removers) remove();
        modules.forEach((module, i) => (module.training = modes[i] ?? true));
    }
    return calls;
}

function rows(model: Module, calls: ReadonlyMap<Module, Call>): LayerSummary[] {
    const counted = new Set<Tensor>();
    return model.namedModules().map(([path, module]) => {
        const own = module.ownParameters().map(([, parameter]) => parameter);
        const fresh = own.filter((parameter) => !counted.has(parameter));
        for (const parameter of fresh) counted.add(parameter);
        const count = (list: readonly Tensor[]): number => list.reduce((sum, { size }) => sum + size, 0);
        const call = calls.get(module);
        return {
            path,
            type: module.constructor.name,
            depth: path === '' ? 0 : path.split('.').length,
            outputShape: call?.outputShape ?? null,
            parameters: count(fresh),
            trainable: count(fresh.filter(({ requiresGrad }) => requiresGrad)),
            multAdds: call ? count(own) * call.places : 0,
        };
    });
}

/**
 * Runs the model once on zeros of `inputShape` and lists its layers with output shapes, parameters and multiplications, in
 * the manner of torchinfo.
 *
 * @throws Error of the layer whose input does not fit.
 * @example
 * import { nn } from 'nativegrad';
 * const model = new nn.Sequential(new nn.Linear(784, 256), new nn.ReLU(), new nn.Linear(256, 10));
 * console.log(nn.summary(model, [1, 784]).parameters); // 203530
 * console.log(String(nn.summary(model, [1, 784])));
 */
export function summary(model: Module, inputShape: Shape, options: SummaryOptions = {}): ModelSummary {
    if (typeof model !== 'object' || model === null || typeof model.parameters !== 'function')
        throw new TypeError(`[summary] expected a Module, got ${describeValue(model)}`);
    const parameters = model.parameters();
    const dtype = options.dtype ?? parameters[0]?.dtype ?? 'float32';
    const device = parameters[0]?.device;
    const input = zeros(inputShape, { dtype, ...(device === undefined ? {} : { device }) });
    const calls = trace(model, input);
    input.dispose();
    const layers = rows(model, calls);
    const outputBytes = model
        .modules()
        .filter((module) => module.ownParameters().length > 0)
        .reduce((sum, module) => sum + (calls.get(module)?.bytes ?? 0), 0);
    const total = (pick: (layer: LayerSummary) => number): number =>
        layers.reduce((sum, layer) => sum + pick(layer), 0);
    const result = {
        layers,
        inputShape,
        parameters: total((layer) => layer.parameters),
        trainable: total((layer) => layer.trainable),
        multAdds: total((layer) => layer.multAdds),
        inputBytes: sizeOf(inputShape) * itemSize(dtype),
        parameterBytes: parameters.reduce((sum, { size, dtype: own }) => sum + size * itemSize(own), 0),
        activationBytes: 2 * outputBytes,
    };
    return { ...result, toString: () => summaryTable(result) };
}

const thousands = (value: number): string => value.toLocaleString('en-US');
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2);

function summaryTable(found: Omit<ModelSummary, 'toString'>): string {
    const head = ['Layer', 'Type', 'Output shape', 'Parameters', 'Mult-adds'];
    const body = found.layers.map(({ path, type, depth, outputShape, parameters, multAdds }) => [
        '  '.repeat(depth) + (path === '' ? '(model)' : (path.split('.').at(-1) ?? '')),
        type,
        outputShape ? shapeText(outputShape) : '-',
        parameters > 0 ? thousands(parameters) : '-',
        multAdds > 0 ? thousands(multAdds) : '-',
    ]);
    const [first = '', ...others] = alignedRows([head, ...body], 3);
    const width = Math.max(first.length, ...others.map((line) => line.length));
    const rule = '='.repeat(width);
    const bytes = found.inputBytes + found.parameterBytes + found.activationBytes;
    return [
        rule,
        first,
        rule,
        ...others,
        rule,
        `Parameters: ${thousands(found.parameters)} (trainable ${thousands(found.trainable)}, ` +
            `frozen ${thousands(found.parameters - found.trainable)})`,
        `Mult-adds: ${thousands(found.multAdds)} for an input of ${shapeText(found.inputShape)}`,
        `Input ${megabytes(found.inputBytes)} MB, parameters ${megabytes(found.parameterBytes)} MB, ` +
            `forward and backward ${megabytes(found.activationBytes)} MB, total ${megabytes(bytes)} MB`,
        rule,
    ].join('\n');
}
