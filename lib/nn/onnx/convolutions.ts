import { entriesOf, type Pair } from '../../ops/pair.js';
import type { Conv1d, Conv2d, ConvTranspose2d } from '../conv.js';
import type { OnnxRule } from './graph.js';

/** Pixels before and behind each axis, in ONNX's order: all before, then all behind. */
function pads(
    padding: Pair | 'same' | 'valid',
    kernel: readonly number[],
    dilations: readonly number[],
): number[] {
    const axes = kernel.length === 1 ? 1 : 2;
    if (padding === 'same') {
        const totals = kernel.map((size, axis) => (dilations[axis] ?? 1) * (size - 1));
        return [
            ...totals.map((total) => Math.floor(total / 2)),
            ...totals.map((total) => Math.ceil(total / 2)),
        ];
    }
    const sides =
        padding === 'valid' ? kernel.map(() => 0) : entriesOf('[exportOnnx]', 'padding', padding, 0, axes);
    return [...sides, ...sides];
}

export const convolution: OnnxRule<Conv1d | Conv2d> = ({ weight, bias, options }, graph, x) => {
    const kernel = weight.shape.slice(2);
    const each = (name: string, value: Pair = 1): number[] =>
        entriesOf('[exportOnnx]', name, value, 1, kernel.length === 1 ? 1 : 2);
    const dilations = each('dilation', options.dilation);
    return graph.node('Conv', [x.name, graph.weight(weight), ...(bias ? [graph.weight(bias)] : [])], {
        kernel_shape: { ints: kernel },
        strides: { ints: each('stride', options.stride) },
        dilations: { ints: dilations },
        pads: { ints: pads(options.padding ?? 0, kernel, dilations) },
        group: { int: options.groups ?? 1 },
    });
};

export const transposedConvolution: OnnxRule<ConvTranspose2d> = ({ weight, bias, options }, graph, x) => {
    const kernel = weight.shape.slice(2);
    const each = (name: string, value: Pair, least: number): number[] =>
        entriesOf('[exportOnnx]', name, value, least, 2);
    return graph.node(
        'ConvTranspose',
        [x.name, graph.weight(weight), ...(bias ? [graph.weight(bias)] : [])],
        {
            kernel_shape: { ints: kernel },
            strides: { ints: each('stride', options.stride ?? 1, 1) },
            dilations: { ints: each('dilation', options.dilation ?? 1, 1) },
            pads: { ints: pads(options.padding ?? 0, kernel, []) },
            output_padding: { ints: each('outputPadding', options.outputPadding ?? 0, 0) },
            group: { int: options.groups ?? 1 },
        },
    );
};
