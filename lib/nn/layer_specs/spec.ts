import type { InitOptions } from '../draw.js';
import type { Layer, SequentialLayer } from '../module.js';
import { readFields, type Field, type Json } from '../config_fields.js';
import type { OnnxGraph, OnnxInput, OnnxRule } from '../onnx/graph.js';

/** How one type of layer is written to JSON and read from it. */
export interface LayerSpec {
    readonly type: string;
    /** Options of a layer of exactly this class, else null. */
    write(layer: SequentialLayer): Readonly<Record<string, Json>> | null;
    /** Options, checked, in a function that builds the layer, and how many weights and statistics it will have. */
    read(
        value: unknown,
        place: string,
    ): { readonly elements: number; readonly build: (options: InitOptions) => SequentialLayer };
    /** Adds a layer of exactly this class to a graph and gives the name of its output, else null. */
    onnx(layer: SequentialLayer, graph: OnnxGraph, x: OnnxInput): string | null;
}

/** The spec of one class, from its fields and how they become a layer. */
export function spec<L extends SequentialLayer, O extends Readonly<Record<string, Json>>>(rule: {
    readonly type: new (...rest: never[]) => L;
    readonly fields: { readonly [K in keyof O]: Field<O[K]> };
    readonly write: (layer: L) => O;
    readonly build: (options: O, init: InitOptions) => L;
    readonly elements?: (options: O) => number;
    readonly onnx: OnnxRule<L>;
}): LayerSpec {
    const isOwn = (layer: SequentialLayer): layer is L =>
        layer.constructor === rule.type && layer instanceof rule.type;
    return {
        type: rule.type.name,
        write: (layer) => (isOwn(layer) ? { ...rule.write(layer) } : null),
        read: (value, place) => {
            const options = readFields(value, place, rule.fields);
            return {
                elements: rule.elements?.(options) ?? 0,
                build: (init) => rule.build(options, init),
            };
        },
        onnx: (layer, graph, x) => (isOwn(layer) ? rule.onnx(layer, graph, x) : null),
    };
}

/** A layer without options. */
export function plain(type: new () => Layer, onnx: OnnxRule<Layer>): LayerSpec {
    return spec({ type, fields: {}, write: () => ({}), build: () => new type(), onnx });
}
