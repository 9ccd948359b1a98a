import { OnnxError } from '../../io/onnx/onnx_error.js';
import type { Embedding } from '../embedding.js';
import type { Flatten } from '../flatten.js';
import type { Linear } from '../linear.js';
import type { Layer } from '../module.js';
import type { OnnxInput, OnnxRule } from './graph.js';

/** The input itself: in evaluation mode nothing is done. */
export const unchanged: OnnxRule<Layer> = (_layer, _graph, x) => x.name;

/** Gemm takes matrices only, and W as it is stored; other ranks take a product with W^T. */
export const linear: OnnxRule<Linear> = ({ weight, bias }, graph, x) => {
    const w = graph.weight(weight);
    const b = bias ? [graph.weight(bias)] : [];
    if (x.shape.length === 2) return graph.node('Gemm', [x.name, w, ...b], { transB: { int: 1 } });
    const transposed = graph.node('Transpose', [w], { perm: { ints: [1, 0] } });
    const product = graph.node('MatMul', [x.name, transposed]);
    return bias ? graph.node('Add', [product, ...b]) : product;
};

export const embedding: OnnxRule<Embedding> = ({ weight }, graph, x) => {
    const isIndex = x.dtype === 'int32' || x.dtype === 'int64';
    const index = isIndex ? x.name : graph.node('Cast', [x.name], { to: { int: 7 } });
    return graph.node('Gather', [graph.weight(weight), index], { axis: { int: 0 } });
};

export const flatten: OnnxRule<Flatten> = ({ start, end }, graph, x) => {
    const rank = x.shape.length;
    const [first, last] = [start, end].map((axis) => (axis < 0 ? axis + rank : axis)) as [number, number];
    if (first === 1 && last === rank - 1 && rank > 1)
        return graph.node('Flatten', [x.name], { axis: { int: 1 } });
    return graph.reshape(x.name, flatSizes(x, first));
};

/** Sizes for Reshape: those before the joined axes are the input's own (0), at most one of the others depends on the batch. */
function flatSizes(x: OnnxInput, first: number): number[] {
    const tail = x.outputShape.slice(first);
    if (tail.filter((size) => typeof size !== 'number').length > 1)
        throw new OnnxError(
            `[exportOnnx] a Flatten to (${x.outputShape.join(', ')}) has two sizes that depend on the batch`,
        );
    return [
        ...x.shape.slice(0, first).map(() => 0),
        ...tail.map((size) => (typeof size === 'number' ? size : -1)),
    ];
}
