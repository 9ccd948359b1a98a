import { conv1d, conv2d, convTranspose2d, ones } from '../../../lib/index.js';
import type { NdArray, OpSample } from '../sample.js';

export interface Geometry {
    readonly stride?: readonly [number, number];
    readonly padding?: readonly [number, number];
    readonly dilation?: readonly [number, number];
    readonly groups?: number;
    readonly outputPadding?: readonly [number, number];
}

export type Four = readonly [number, number, number, number];

function four(shape: readonly number[]): Four {
    const [a = 1, b = 1, c = 1, d = 1] = shape;
    return [a, b, c, d];
}

/** Calls body(x element, w element, y element) for every product of the correlation. */
export function eachProduct(
    [images, , height, width]: Four,
    [outs, ins, rows, columns]: Four,
    [, , outHeight, outWidth]: Four,
    { stride = [1, 1], padding = [0, 0], dilation = [1, 1], groups = 1 }: Geometry,
    body: (x: number, w: number, y: number) => void,
): void {
    const perGroup = outs / groups;
    for (let n = 0; n < images; n++) {
        for (let o = 0; o < outs; o++) {
            for (let i = 0; i < outHeight; i++) {
                for (let j = 0; j < outWidth; j++) {
                    for (let c = 0; c < ins; c++) {
                        for (let r = 0; r < rows; r++) {
                            for (let s = 0; s < columns; s++) {
                                const row = i * stride[0] + r * dilation[0] - padding[0];
                                const column = j * stride[1] + s * dilation[1] - padding[1];
                                if (row < 0 || row >= height || column < 0 || column >= width) continue;
                                const channel = Math.floor(o / perGroup) * ins + c;
                                body(
                                    ((n * ins * groups + channel) * height + row) * width + column,
                                    ((o * ins + c) * rows + r) * columns + s,
                                    ((n * outs + o) * outHeight + i) * outWidth + j,
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}

function withBias(data: Float64Array, shape: Four, bias?: NdArray): NdArray {
    const area = shape[2] * shape[3];
    if (bias) data.forEach((_, i) => (data[i] += bias.data[Math.floor(i / area) % shape[1]]));
    return { shape, data };
}

/** x [N, C, H, W], w [O, C / groups, kH, kW] -> [N, O, H', W'] */
export function correlation(geometry: Geometry) {
    const { stride = [1, 1], padding = [0, 0], dilation = [1, 1] } = geometry;
    return (x: NdArray, w: NdArray, bias?: NdArray): NdArray => {
        const [xs, ws] = [four(x.shape), four(w.shape)];
        const size = (axis: 0 | 1): number =>
            Math.floor(
                (xs[2 + axis] + 2 * padding[axis] - dilation[axis] * (ws[2 + axis] - 1) - 1) / stride[axis],
            ) + 1;
        const ys: Four = [xs[0], ws[0], size(0), size(1)];
        const data = new Float64Array(ys[0] * ys[1] * ys[2] * ys[3]);
        eachProduct(xs, ws, ys, geometry, (i, k, j) => (data[j] += x.data[i] * w.data[k]));
        return withBias(data, ys, bias);
    };
}

/** x [N, C, H, W], w [C, O / groups, kH, kW] -> [N, O, H', W'] */
function transposed(geometry: Geometry) {
    const {
        stride = [1, 1],
        padding = [0, 0],
        dilation = [1, 1],
        groups = 1,
        outputPadding = [0, 0],
    } = geometry;
    return (x: NdArray, w: NdArray, bias?: NdArray): NdArray => {
        const [xs, ws] = [four(x.shape), four(w.shape)];
        const size = (axis: 0 | 1): number =>
            (xs[2 + axis] - 1) * stride[axis] -
            2 * padding[axis] +
            dilation[axis] * (ws[2 + axis] - 1) +
            outputPadding[axis] +
            1;
        const ys: Four = [xs[0], ws[1] * groups, size(0), size(1)];
        const data = new Float64Array(ys[0] * ys[1] * ys[2] * ys[3]);
        eachProduct(ys, ws, xs, geometry, (j, k, i) => (data[j] += x.data[i] * w.data[k]));
        return withBias(data, ys, bias);
    };
}

const sumsReason = 'sums of many products: rounding grows with their number';

function conv2dRow(
    title: string,
    x: Four,
    w: Four,
    geometry: Geometry = {},
    more: Partial<OpSample> = {},
): OpSample {
    return {
        op: 'conv2d',
        title,
        covers: ['conv2d_backward_input', 'conv2d_backward_weight'],
        inputs: [{ shape: x }, { shape: w }, { shape: [w[0]] }],
        run: (input, weight, bias) => conv2d(input, weight, bias, geometry),
        reference: correlation(geometry),
        tolerance: { relative: 1e-5, reason: sumsReason },
        secondOrder: true,
        exactOnViews: true,
        ...more,
    };
}

const image = (channels: number): number[] => [1, channels, 5, 5];

const conv2dWrong: OpSample['wrong'] = [
    {
        call: () => conv2d(ones(image(3)), ones([32, 1, 3, 3])),
        message: /\[conv2d\] input has 3 channels, weight \[32, 1, 3, 3\] expects 1/,
    },
    {
        call: () => conv2d(ones(image(4)), ones([6, 1, 3, 3]), null, { groups: 2 }),
        message: /\[conv2d\] input has 4 channels, weight \[6, 1, 3, 3\] in 2 groups expects 2/,
    },
    {
        call: () => conv2d(ones(image(4)), ones([5, 2, 3, 3]), null, { groups: 2 }),
        message: /\[conv2d\] 5 output channels do not divide into 2 groups/,
    },
    {
        call: () => conv2d(ones(image(1)), ones([1, 1, 7, 3])),
        message: /\[conv2d\] the kernel spans 7 pixels and the padded input has 5 along axis 2.*pad more/,
    },
    { call: () => conv2d(ones([3, 5, 5]), ones([1, 3, 3, 3])), message: /\[conv2d\].*unsqueeze\(0\)/ },
    {
        call: () => conv2d(ones(image(1)), ones([2, 1, 3, 3]), ones([3])),
        message: /\[conv2d\] bias has shape \[3\], expected \[2\]/,
    },
    {
        call: () => conv2d(ones(image(1)), ones([2, 1, 3, 3], { dtype: 'float64' })),
        message: /\[conv2d\] dtypes differ: input float32, weight float64/,
    },
    {
        call: () => conv2d(ones(image(1)), ones([2, 1, 3, 3]), null, { stride: 0 }),
        message: /\[conv2d\] stride must be an integer of at least 1/,
    },
    {
        call: () => conv2d(ones(image(1)), ones([2, 1, 3, 3]), null, { stride: 2, padding: 'same' }),
        message: /\[conv2d\] padding 'same' needs stride 1/,
    },
    {
        call: () => conv2d(ones(image(1), { dtype: 'int32' }), ones([2, 1, 3, 3])),
        message: /\[conv2d\] needs a float dtype, got int32/,
    },
];

export const convSamples: readonly OpSample[] = [
    conv2dRow(
        'padding 1',
        [2, 3, 5, 4],
        [5, 3, 3, 3],
        { padding: [1, 1] },
        {
            large: [[9, 5, 17, 15], [37, 5, 3, 3], [37]],
            zeroSizes: [[[0, 3, 5, 4], [5, 3, 3, 3], [5]]],
            wrong: conv2dWrong,
        },
    ),
    conv2dRow('stride 2 and 3, dilation 2 and 1', [2, 2, 8, 9], [3, 2, 3, 2], {
        stride: [2, 3],
        padding: [1, 0],
        dilation: [2, 1],
    }),
    conv2dRow('groups', [2, 4, 4, 4], [6, 2, 3, 3], { groups: 2, padding: [1, 1] }),
    conv2dRow('depthwise, stride 2', [1, 3, 5, 5], [3, 1, 3, 3], { groups: 3, stride: [2, 2] }),
    conv2dRow('1x1', [2, 3, 3, 3], [4, 3, 1, 1]),
    {
        op: 'conv2d',
        title: 'same padding, no bias',
        inputs: [{ shape: [1, 2, 4, 3] }, { shape: [2, 2, 2, 3] }],
        run: (x, w) => conv2d(x, w, null, { padding: 'same' }),
        reference: (x, w) => {
            const whole = correlation({ padding: [1, 1] })(x, w);
            // An even kernel pads more behind than before: drop the first row.
            const data = whole.data.filter((_, i) => Math.floor(i / 3) % 5 !== 0);
            return { shape: [1, 2, 4, 3], data };
        },
        tolerance: { relative: 1e-5, reason: sumsReason },
        secondOrder: true,
    },
    {
        op: 'conv1d',
        inputs: [{ shape: [2, 4, 7] }, { shape: [4, 2, 3] }, { shape: [4] }],
        run: (x, w, b) => conv1d(x, w, b, { stride: 2, padding: 1, dilation: 1, groups: 2 }),
        reference: (x, w, b) => {
            const rows = ({ shape: [n = 0, c = 0, l = 0], data }: NdArray): NdArray => ({
                shape: [n, c, 1, l],
                data,
            });
            const geometry: Geometry = { stride: [1, 2], padding: [0, 1], groups: 2 };
            const y = correlation(geometry)(rows(x), rows(w), b);
            return { shape: [y.shape[0] ?? 0, y.shape[1] ?? 0, y.shape[3] ?? 0], data: y.data };
        },
        tolerance: { relative: 1e-5, reason: sumsReason },
        secondOrder: true,
        zeroSizes: [[[0, 4, 7], [4, 2, 3], [4]]],
        wrong: [
            {
                call: () => conv1d(ones([1, 2, 3, 4]), ones([1, 2, 3])),
                message: /\[conv1d\] expects an input \[N, C, L\]/,
            },
            {
                call: () => conv1d(ones([1, 2, 5]), ones([1, 3, 3])),
                message: /\[conv1d\] input has 2 channels/,
            },
            {
                call: () => conv1d(ones([1, 2, 5]), ones([1, 2, 3]), null, { stride: [1, 1] }),
                message: /\[conv1d\] stride must be one number/,
            },
        ],
    },
    {
        op: 'conv_transpose2d',
        inputs: [{ shape: [2, 4, 3, 4] }, { shape: [4, 3, 3, 2] }, { shape: [6] }],
        run: (x, w, b) =>
            convTranspose2d(x, w, b, {
                stride: [2, 3],
                padding: [1, 0],
                dilation: [1, 2],
                outputPadding: [1, 0],
                groups: 2,
            }),
        reference: transposed({
            stride: [2, 3],
            padding: [1, 0],
            dilation: [1, 2],
            outputPadding: [1, 0],
            groups: 2,
        }),
        tolerance: { relative: 1e-5, reason: sumsReason },
        secondOrder: true,
        large: [[5, 8, 13, 12], [8, 9, 3, 2], [18]],
        zeroSizes: [[[0, 4, 3, 4], [4, 3, 3, 2], [6]]],
        wrong: [
            {
                call: () => convTranspose2d(ones(image(3)), ones([2, 4, 2, 2])),
                message: /\[conv_transpose2d\] input has 3 channels, weight \[2, 4, 2, 2\] expects 2/,
            },
            {
                call: () =>
                    convTranspose2d(ones(image(2)), ones([2, 4, 2, 2]), null, {
                        stride: 2,
                        outputPadding: 2,
                    }),
                message: /\[conv_transpose2d\] outputPadding 2 must be below the stride \(2\)/,
            },
            {
                call: () => convTranspose2d(ones([1, 1, 1, 1]), ones([1, 1, 1, 1]), null, { padding: 1 }),
                message: /\[conv_transpose2d\] the output would have size \[-1, -1\]/,
            },
        ],
    },
];
