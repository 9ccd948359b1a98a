import { Generator } from '../ops/generator.js';
import type { DType } from '../tensor/dtype.js';
import { ConfigError, oneOf, refuse, text, type Json } from './config_fields.js';
import { Sequential } from './containers.js';
import { layerSpecs } from './layer_specs/index.js';
import type { SequentialLayer } from './module.js';
import type { Parameter } from './parameter.js';

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

/** `paths`: where each layer came first. */
function layerConfig(layer: SequentialLayer, path: string, paths: Map<SequentialLayer, string>): LayerConfig {
    const first = paths.get(layer);
    if (first !== undefined) return { type: 'Shared', layer: first };
    paths.set(layer, path);
    if (layer instanceof Sequential && layer.constructor === Sequential)
        return { type: 'Sequential', layers: sequence(layer, `${path}.`, paths) };
    const type = layer.constructor.name;
    const options = layerSpecs.get(type)?.write(layer);
    if (!options) {
        throw new ConfigError(`[toConfig] ${type} '${path}' is no built-in layer; ${weightsAlone}`);
    }
    return { type, ...options };
}

function sequence(model: Sequential, prefix: string, paths: Map<SequentialLayer, string>): LayerConfig[] {
    return [...model].map((layer, i) => layerConfig(layer, `${prefix}${i}`, paths));
}

/** One parameter in two layers cannot be told in JSON of layers; one layer at two places can. */
function refuseTies(model: Sequential): void {
    const owners = new Map<Parameter, string>();
    for (const [path, module] of model.namedModules()) {
        for (const [name, parameter] of module.ownParameters()) {
            const own = `${path}.${name}`;
            const other = owners.get(parameter);
            if (other !== undefined) {
                const detail = `${other} and ${own} are one parameter of two layers, which would come back apart`;
                throw new ConfigError(`[toConfig] ${detail}; ${weightsAlone}`);
            }
            owners.set(parameter, own);
        }
    }
}

/**
 * The layers of a `Sequential` of built-in layers as plain JSON; weights are left out. A layer that
 * stands at several places is written once; the others are `{ type: 'Shared', layer: path of the first }`.
 *
 * @throws ConfigError for a layer of another class, parameters of several dtypes, or one that two layers share.
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
    refuseTies(model);
    return { version: 1, dtype, layers: sequence(model, '', new Map()) };
}

interface Plan {
    readonly elements: number;
    /** Layers, each as often as it is called. */
    readonly calls: number;
    /** `built`: layers that stand already, by path. */
    readonly build: (generator: Generator, built: Map<string, SequentialLayer>) => SequentialLayer;
}

interface Planning {
    callsLeft: number;
    /** Layers that are planned to their end, by path. */
    readonly plans: Map<string, Plan>;
}

/** Checks the layers without making any; `path` is that of their Sequential, `place` where it stands in the JSON. */
function planSequence(layers: unknown, place: string, path: readonly number[], planning: Planning): Plan {
    if (!Array.isArray(layers)) return refuse(place, 'a list of layers', layers);
    if (path.length > maxDepth) return refuse(place, `at most ${maxDepth} lists inside each other`, 'more');
    const plans = layers.map((value: unknown, i) => {
        const plan = planLayer(value, `${place}[${i}]`, [...path, i], planning);
        planning.plans.set([...path, i].join('.'), plan);
        return plan;
    });
    return {
        elements: plans.reduce((sum, { elements }) => sum + elements, 0),
        calls: plans.reduce((sum, { calls }) => sum + calls, 1),
        build: (generator, built) => {
            const made = plans.map((plan, i) => {
                const layer = plan.build(generator, built);
                built.set([...path, i].join('.'), layer);
                return layer;
            });
            return new Sequential(...made);
        },
    };
}

function planLayer(value: unknown, place: string, path: readonly number[], planning: Planning): Plan {
    if (typeof value !== 'object' || value === null) return refuse(place, 'a layer', value);
    const given = new Map<string, unknown>(Object.entries(value));
    const type = given.get('type');
    if (type === 'Shared') return planShared(given, place, planning);
    countCalls(1, place, planning);
    if (type === 'Sequential') {
        if (given.size > 2) return refuse(place, "only 'type' and 'layers'", [...given.keys()]);
        return planSequence(given.get('layers'), `${place}.layers`, path, planning);
    }
    const rule = typeof type === 'string' ? layerSpecs.get(type) : undefined;
    if (!rule) return refuse(`${place}.type`, 'the name of a built-in layer', type);
    const { elements, build } = rule.read(value, place);
    return { elements, calls: 1, build: (generator) => build({ generator }) };
}

/** A layer that stands at an earlier place as well. */
function planShared(given: ReadonlyMap<string, unknown>, place: string, planning: Planning): Plan {
    const path = text(given.get('layer'), `${place}.layer`);
    const first = planning.plans.get(path);
    if (!first) return refuse(`${place}.layer`, 'the path of a layer before it', path);
    if (given.size > 2) return refuse(place, "only 'type' and 'layer'", [...given.keys()]);
    countCalls(first.calls, place, planning);
    const build = (generator: Generator, built: Map<string, SequentialLayer>): SequentialLayer =>
        built.get(path) ?? first.build(generator, built);
    return { elements: 0, calls: first.calls, build };
}

/** Shared lists of shared lists would else be a few bytes that run for ever. */
function countCalls(calls: number, place: string, planning: Planning): void {
    planning.callsLeft -= calls;
    if (planning.callsLeft < 0) refuse(place, `at most ${maxLayers} layers`, 'more');
}

function plan(config: unknown): Plan & { readonly dtype: DType } {
    if (typeof config !== 'object' || config === null || Array.isArray(config))
        return refuse('the architecture', 'an object', config);
    const given = new Map<string, unknown>(Object.entries(config));
    if (given.get('version') !== 1) return refuse('version', '1', given.get('version'));
    const dtype = oneOf('float32', 'float64', 'float16', 'bfloat16')(given.get('dtype'), 'dtype');
    const extra = [...given.keys()].find((name) => !['version', 'dtype', 'layers'].includes(name));
    if (extra !== undefined) return refuse('the architecture', "'version', 'dtype' and 'layers'", extra);
    const planning = { callsLeft: maxLayers, plans: new Map<string, Plan>() };
    return { ...planSequence(given.get('layers'), 'layers', [], planning), dtype };
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
    let model: SequentialLayer;
    try {
        model = build(new Generator(0), new Map());
    } catch (cause) {
        const text = cause instanceof Error ? cause.message : String(cause);
        throw new ConfigError(`[fromConfig] ${text}`, { cause });
    }
    if (!(model instanceof Sequential)) throw new ConfigError('[fromConfig] no Sequential');
    return model.to(dtype);
}
