import { Generator } from '../ops/generator.js';
import type { DType } from '../tensor/dtype.js';
import { ConfigError, oneOf, refuse, type Json } from './config_fields.js';
import { Sequential } from './containers.js';
import { layerSpecs } from './layer_specs/index.js';
import type { Layer } from './module.js';

export { ConfigError } from './config_fields.js';

/** A layer as JSON: its class, and every option of it by name. */
export interface LayerConfig {
    readonly type: string;
    readonly [option: string]: Json;
}

/** A `Sequential` as JSON. */
export interface ModelConfig {
    readonly version: 1;
    readonly dtype: DType;
    readonly layers: readonly LayerConfig[];
}

const weightsAlone = 'save the weights alone with saveTensors(path, model.stateDict())';
const maxLayers = 10_000;
const maxDepth = 32;

function layerConfig(layer: Layer, path: string): LayerConfig {
    if (layer instanceof Sequential && layer.constructor === Sequential)
        return { type: 'Sequential', layers: sequence(layer, `${path}.`) };
    const type = layer.constructor.name;
    const options = layerSpecs.get(type)?.write(layer);
    if (!options) {
        throw new ConfigError(`[toConfig] ${type} '${path}' is no built-in layer; ${weightsAlone}`);
    }
    return { type, ...options };
}

function sequence(model: Sequential, prefix: string): LayerConfig[] {
    return [...model].map((layer, i) => layerConfig(layer, `${prefix}${i}`));
}

/**
 * The layers of a `Sequential` of built-in layers as plain JSON; weights are left out.
 *
 * @throws ConfigError for a layer of another class, or parameters of several dtypes.
 * @example
 * import { nn } from 'nativegrad';
 * const config = nn.toConfig(new nn.Sequential(new nn.Linear(4, 2), new nn.ReLU()));
 * console.log(JSON.stringify(config.layers[1])); // {"type":"ReLU"}
 */
export function toConfig(model: Sequential): ModelConfig {
    if (!(model instanceof Sequential) || model.constructor !== Sequential)
        throw new ConfigError(
            `[toConfig] only a Sequential of built-in layers can be described; ${weightsAlone}`,
        );
    const dtypes = new Set(model.parameters().map(({ dtype }) => dtype));
    if (dtypes.size > 1)
        throw new ConfigError(`[toConfig] the parameters have several dtypes: ${[...dtypes].join(', ')}`);
    const [dtype = 'float32'] = dtypes;
    return { version: 1, dtype, layers: sequence(model, '') };
}

interface Plan {
    readonly elements: number;
    readonly build: (generator: Generator) => Layer;
}

/** Checks the layers without making any. */
function planSequence(layers: unknown, place: string, depth: number, count: { left: number }): Plan {
    if (!Array.isArray(layers)) return refuse(place, 'a list of layers', layers);
    if (depth > maxDepth) return refuse(place, `at most ${maxDepth} lists inside each other`, 'more');
    count.left -= layers.length;
    if (count.left < 0) return refuse(place, `at most ${maxLayers} layers`, 'more');
    const plans = layers.map((value: unknown, i) => planLayer(value, `${place}[${i}]`, depth, count));
    return {
        elements: plans.reduce((sum, { elements }) => sum + elements, 0),
        build: (generator) => new Sequential(...plans.map((plan) => plan.build(generator))),
    };
}

function planLayer(value: unknown, place: string, depth: number, count: { left: number }): Plan {
    if (typeof value !== 'object' || value === null) return refuse(place, 'a layer', value);
    const given = new Map<string, unknown>(Object.entries(value));
    const type = given.get('type');
    if (type === 'Sequential') {
        if (given.size > 2) return refuse(place, "only 'type' and 'layers'", [...given.keys()]);
        return planSequence(given.get('layers'), `${place}.layers`, depth + 1, count);
    }
    const rule = typeof type === 'string' ? layerSpecs.get(type) : undefined;
    if (!rule) return refuse(`${place}.type`, 'the name of a built-in layer', type);
    const { elements, build } = rule.read(value, place);
    return { elements, build: (generator) => build({ generator }) };
}

function plan(config: unknown): Plan & { readonly dtype: DType } {
    if (typeof config !== 'object' || config === null || Array.isArray(config))
        return refuse('the architecture', 'an object', config);
    const given = new Map<string, unknown>(Object.entries(config));
    if (given.get('version') !== 1) return refuse('version', '1', given.get('version'));
    const dtype = oneOf('float32', 'float64', 'float16', 'bfloat16')(given.get('dtype'), 'dtype');
    const extra = [...given.keys()].find((name) => !['version', 'dtype', 'layers'].includes(name));
    if (extra !== undefined) return refuse('the architecture', "'version', 'dtype' and 'layers'", extra);
    return { ...planSequence(given.get('layers'), 'layers', 0, { left: maxLayers }), dtype };
}

function checkedPlan(config: unknown): ReturnType<typeof plan> {
    try {
        return plan(config);
    } catch (cause) {
        if (!(cause instanceof ConfigError)) throw cause;
        throw new ConfigError(`[fromConfig] ${cause.message}`, { cause });
    }
}

/**
 * Builds the model that `toConfig` described, from JSON that may come from anyone: unknown layers and options, missing and
 * wrong values are refused before anything is made. Its weights are drawn from a generator of its own.
 *
 * @param options - `maxElements`: refuse layers that would hold more weights than this.
 * @throws ConfigError that names the place, what was expected and what came.
 */
export function fromConfig(config: unknown, options: { readonly maxElements?: number } = {}): Sequential {
    const { elements, build, dtype } = checkedPlan(config);
    const { maxElements = Infinity } = options;
    if (elements > maxElements) {
        throw new ConfigError(
            `[fromConfig] the layers take ${elements} weights, at most ${maxElements} are allowed`,
        );
    }
    let model: Layer;
    try {
        model = build(new Generator(0));
    } catch (cause) {
        const text = cause instanceof Error ? cause.message : String(cause);
        throw new ConfigError(`[fromConfig] ${text}`, { cause });
    }
    if (!(model instanceof Sequential)) throw new ConfigError('[fromConfig] no Sequential');
    return model.to(dtype);
}
