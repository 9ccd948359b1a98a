import type { MultiheadAttention } from '../attention.js';
import { OnnxError } from '../../io/onnx/onnx_error.js';
import type { GRU } from '../gru.js';
import type { LSTM } from '../lstm.js';
import type { OnnxGraph, OnnxInput, OnnxRule } from './graph.js';

function permuted(graph: OnnxGraph, x: string, ...axes: readonly number[]): string {
    return graph.node('Transpose', [x], { perm: { ints: axes } });
}

/** Runs a rule on [T, N, ...] (or, with `batchFirst`, [N, T, ...]) brought to the order that it wants, and its result back. */
function inOrder(
    graph: OnnxGraph,
    x: OnnxInput,
    swaps: boolean,
    loneAxis: number,
    body: (sequence: string) => string,
): string {
    if (x.shape.length === 2) {
        const axes = graph.constant([loneAxis], 'int64');
        return graph.node('Squeeze', [body(graph.node('Unsqueeze', [x.name, axes])), axes]);
    }
    if (!swaps) return body(x.name);
    return permuted(graph, body(permuted(graph, x.name, 1, 0, 2)), 1, 0, 2);
}

/** `order`: where ONNX's gates stand among PyTorch's. */
function recurrent(
    operator: 'LSTM' | 'GRU',
    order: readonly number[],
    own: Record<string, { int: number }>,
): OnnxRule<LSTM | GRU> {
    return (layer, graph, x) => {
        const { hiddenSize, numLayers, bidirectional, batchFirst, bias } = layer;
        const rows = order.flatMap((gate) =>
            Array.from({ length: hiddenSize }, (_, i) => gate * hiddenSize + i),
        );
        const index = graph.constant(rows, 'int64');
        const first = graph.constant([0], 'int64');
        const sorted = (parameter: string): string => graph.node('Gather', [parameter, index]);
        const suffixes = (i: number): string[] => [`l${i}`, ...(bidirectional ? [`l${i}_reverse`] : [])];
        /** One weight of each direction: [directions, gates * hiddenSize, ...]. */
        const stacked = (
            i: number,
            ...kinds: readonly ('weight_ih' | 'weight_hh' | 'bias_ih' | 'bias_hh')[]
        ): string => {
            const each = suffixes(i).map((suffix) => {
                const parts = kinds.map((kind) =>
                    sorted(graph.weight(layer[`${kind}_${suffix}` as 'weight_ih_l0'])),
                );
                const [joined = ''] =
                    parts.length === 1 ? parts : [graph.node('Concat', parts, { axis: { int: 0 } })];
                return graph.node('Unsqueeze', [joined, first]);
            });
            return each.length === 1 ? (each[0] ?? '') : graph.node('Concat', each, { axis: { int: 0 } });
        };
        const run = (sequence: string, i: number): string => {
            const weights = [stacked(i, 'weight_ih'), stacked(i, 'weight_hh')];
            const offsets = bias ? [stacked(i, 'bias_ih', 'bias_hh')] : [];
            const y = graph.node(operator, [sequence, ...weights, ...offsets], {
                hidden_size: { int: hiddenSize },
                direction: { string: bidirectional ? 'bidirectional' : 'forward' },
                ...own,
            });
            // [T, directions, N, H] -> [T, N, directions * H]
            return graph.reshape(permuted(graph, y, 0, 2, 1, 3), [0, 0, -1]);
        };
        const layers = Array.from({ length: numLayers }, (_, i) => i);
        return inOrder(graph, x, batchFirst, 1, (sequence) => layers.reduce(run, sequence));
    };
}

/** i, f, g, o become i, o, f, g. */
export const lstm = recurrent('LSTM', [0, 3, 1, 2], {});

/** r, z, n become z, r, n; r acts on the product, not on the state. */
export const gru = recurrent('GRU', [1, 0, 2], { linear_before_reset: { int: 1 } });

/** Queries, keys and values of one input: scores = softmax(q k^T / sqrt(d)). */
export const selfAttention: OnnxRule<MultiheadAttention> = (layer, graph, x) => {
    const { embedDim, numHeads, batchFirst, in_proj_weight: weight, in_proj_bias: bias, out_proj } = layer;
    if (!weight)
        throw new OnnxError('[exportOnnx] attention to its own input needs kdim and vdim of embedDim');
    const product = (a: string, b: string): string => graph.node('MatMul', [a, b]);
    const plus = (a: string, b: typeof bias): string => (b ? graph.node('Add', [a, graph.weight(b)]) : a);
    const linear = (a: string, w: typeof weight, b: typeof bias): string =>
        plus(product(a, permuted(graph, graph.weight(w), 1, 0)), b);
    const d = embedDim / numHeads;
    return inOrder(graph, x, !batchFirst, 0, (sequence) => {
        const sizes = graph.constant([embedDim, embedDim, embedDim], 'int64');
        const parts = graph.nodeOf('Split', [linear(sequence, weight, bias), sizes], 3, {
            axis: { int: -1 },
        });
        const [q, k, v] = parts.map((part, i) =>
            permuted(graph, graph.reshape(part, [0, 0, numHeads, d]), 0, 2, ...(i === 1 ? [3, 1] : [1, 3])),
        ) as [string, string, string];
        const scores = graph.node('Mul', [product(q, k), graph.constant(1 / Math.sqrt(d), x.dtype)]);
        const heads = product(graph.node('Softmax', [scores], { axis: { int: -1 } }), v);
        const joined = graph.reshape(permuted(graph, heads, 0, 2, 1, 3), [0, 0, embedDim]);
        return linear(joined, out_proj.weight, out_proj.bias);
    });
};
