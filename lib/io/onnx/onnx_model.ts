import type { SafetensorsEntry } from '../safetensors.js';

/** Bytes of a tensor under a name, row-major and little-endian. */
export type OnnxTensor = SafetensorsEntry;

/** One value of an attribute; the key says which of the kinds of ONNX it is. */
export type OnnxAttribute =
    | { readonly int: number }
    | { readonly float: number }
    | { readonly string: string }
    | { readonly ints: readonly number[] }
    | { readonly floats: readonly number[] }
    | { readonly strings: readonly string[] }
    | { readonly tensor: OnnxTensor };

/** Sizes, or names of sizes that are known when the model runs. */
export type OnnxShape = readonly (number | string)[];

/** A call of an operator; an empty input is one that is left out. */
export interface OnnxNode {
    readonly name: string;
    readonly operator: string;
    readonly inputs: readonly string[];
    readonly outputs: readonly string[];
    readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** What is known of a value of the graph. */
export interface OnnxValueInfo {
    readonly name: string;
    readonly dtype: OnnxTensor['dtype'];
    readonly shape: OnnxShape;
}

/** What this library writes of ONNX's ModelProto (onnx.proto of ONNX 1.12, IR version 8). */
export interface OnnxModel {
    readonly opset: number;
    readonly producer: string;
    readonly graphName: string;
    readonly nodes: readonly OnnxNode[];
    readonly initializers: readonly OnnxTensor[];
    readonly inputs: readonly OnnxValueInfo[];
    readonly outputs: readonly OnnxValueInfo[];
    /** Values between nodes whose shapes are known. */
    readonly values: readonly OnnxValueInfo[];
    readonly metadata: Readonly<Record<string, string>>;
}

/** Numbers of ONNX's TensorProto.DataType. */
export const ONNX_DTYPES: Readonly<Record<OnnxTensor['dtype'], number>> = {
    float32: 1,
    uint8: 2,
    int32: 6,
    int64: 7,
    bool: 9,
    float16: 10,
    float64: 11,
    bfloat16: 16,
};
