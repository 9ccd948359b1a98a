import type { OnnxAttribute } from '../../io/onnx/onnx_model.js';
import { windowGeometry, type WindowGeometry } from '../../ops/pool.js';
import { pairOf, type Two } from '../../ops/pair.js';
import type { AdaptiveAvgPool2d, AvgPool2d, MaxPool2d } from '../pool.js';
import { fixedSizes, type OnnxGraph, type OnnxInput, type OnnxRule } from './graph.js';

/** Runs a rule on [N, C, H, W], also where the layer was given [C, H, W]. */
function onImages(graph: OnnxGraph, x: OnnxInput, body: (images: string) => string): string {
    if (x.shape.length === 4) return body(x.name);
    const axes = graph.constant([0], 'int64');
    return graph.node('Squeeze', [body(graph.node('Unsqueeze', [x.name, axes])), axes]);
}

/**
 * Pixels that the windows reach behind the image: as much as the padding, or where the last window begins by `ceilMode`, more.
 * ONNX has a ceil mode of its own, but runtimes disagree on which windows it leaves out.
 */
function reachBehind(x: OnnxInput, { kernel, stride, padding, dilation }: WindowGeometry): Two {
    const sizes = fixedSizes(x, x.shape, -2, -1);
    const counts = fixedSizes(x, x.outputShape, -2, -1);
    const [rows, columns] = sizes.map((size, axis) => {
        const [step, before] = [stride[axis] ?? 1, padding[axis] ?? 0];
        const reach = (dilation[axis] ?? 1) * ((kernel[axis] ?? 1) - 1) + 1;
        return Math.max(before, ((counts[axis] ?? 1) - 1) * step + reach - size - before);
    });
    return [rows, columns];
}

function windows({ kernel, stride }: WindowGeometry, pads: readonly number[]): Record<string, OnnxAttribute> {
    return { kernel_shape: { ints: kernel }, strides: { ints: stride }, pads: { ints: pads } };
}

/** An image in a frame of one value. */
function framed(
    graph: OnnxGraph,
    images: string,
    x: OnnxInput,
    before: Two,
    behind: Two,
    value: number,
): string {
    const pads = graph.constant([0, 0, ...before, 0, 0, ...behind], 'int64');
    return graph.node('Pad', [images, pads, graph.constant(value, x.dtype)]);
}

export const maxPool: OnnxRule<MaxPool2d> = ({ kernelSize, options }, graph, x) => {
    const geometry = windowGeometry('exportOnnx', kernelSize, options);
    const { kernel, padding, dilation } = geometry;
    const behind = reachBehind(x, geometry);
    // Runtimes refuse frames of a kernel's size or more, which dilated windows may need.
    const fits = behind.every((size, axis) => size < (kernel[axis] ?? 1));
    return onImages(graph, x, (images) =>
        graph.node('MaxPool', [fits ? images : framed(graph, images, x, padding, behind, -Infinity)], {
            ...windows(geometry, fits ? [...padding, ...behind] : [0, 0, 0, 0]),
            dilations: { ints: dilation },
        }),
    );
};

/** Zeros of the padding count in the mean, pixels that only `ceilMode` reaches do not: those stay ONNX's padding. */
export const avgPool: OnnxRule<AvgPool2d> = ({ kernelSize, options }, graph, x) => {
    const geometry = windowGeometry('exportOnnx', kernelSize, options);
    const { padding } = geometry;
    const behind = reachBehind(x, geometry);
    const isFramed = (options.countIncludePad ?? true) && padding.some((size) => size > 0);
    const beyond = behind.map((size, axis) => size - (padding[axis] ?? 0));
    return onImages(graph, x, (images) =>
        graph.node(
            'AveragePool',
            [isFramed ? framed(graph, images, x, padding, padding, 0) : images],
            windows(geometry, isFramed ? [0, 0, ...beyond] : [...padding, ...behind]),
        ),
    );
};

/** Means over parts of the rows, as a matrix [parts, rows]. */
function partMeans(graph: OnnxGraph, x: OnnxInput, parts: number, size: number, transposed: boolean): string {
    const rows = Array.from({ length: parts }, (_, i) => {
        const [first, end] = [Math.floor((i * size) / parts), Math.ceil(((i + 1) * size) / parts)];
        return Array.from({ length: size }, (__, k) => (k >= first && k < end ? 1 / (end - first) : 0));
    });
    if (!transposed) return graph.constant(rows.flat(), x.dtype, [parts, size]);
    const columns = Array.from({ length: size }, (_, k) => rows.map((row) => row[k] ?? 0));
    return graph.constant(columns.flat(), x.dtype, [size, parts]);
}

/** Windows of one size where the output's sizes divide the image's, else a product with the means from each side. */
export const adaptiveAvgPool: OnnxRule<AdaptiveAvgPool2d> = ({ outputSize }, graph, x) => {
    const parts = pairOf('exportOnnx', 'outputSize', outputSize, 1);
    const sizes = fixedSizes(x, x.shape, -2, -1);
    const [height = 1, width = 1] = sizes;
    if (sizes.every((size, axis) => size % (parts[axis] ?? 1) === 0)) {
        const kernel: Two = [height / parts[0], width / parts[1]];
        return onImages(graph, x, (images) =>
            graph.node(
                'AveragePool',
                [images],
                windows({ kernel, stride: kernel, padding: [0, 0], dilation: [1, 1] }, [0, 0, 0, 0]),
            ),
        );
    }
    const rows = graph.node('MatMul', [partMeans(graph, x, parts[0], height, false), x.name]);
    return graph.node('MatMul', [rows, partMeans(graph, x, parts[1], width, true)]);
};
