import type { InitOptions } from '../draw.js';
import type { Layer, SequentialLayer } from '../module.js';
import { readFields, type Field, type Json } from '../config_fields.js';

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
}

/** The spec of one class, from its fields and how they become a layer. */
export function spec<L extends SequentialLayer, O extends Readonly<Record<string, Json>>>(rule: {
    readonly type: new (...rest: never[]) => L;
    readonly fields: { readonly [K in keyof O]: Field<O[K]> };
    readonly write: (layer: L) => O;
    readonly build: (options: O, init: InitOptions) => L;
    readonly elements?: (options: O) => number;
}): LayerSpec {
    return {
        type: rule.type.name,
        write: (layer) => {
            if (layer.constructor !== rule.type || !(layer instanceof rule.type)) return null;
            return { ...rule.write(layer) };
        },
        read: (value, place) => {
            const options = readFields(value, place, rule.fields);
            return {
                elements: rule.elements?.(options) ?? 0,
                build: (init) => rule.build(options, init),
            };
        },
    };
}

/** A layer without options. */
export function plain(type: new () => Layer): LayerSpec {
    return spec({ type, fields: {}, write: () => ({}), build: () => new type() });
}
