import { interpolate, ones } from '../../../lib/index.js';
import type { NdArray, OpSample } from '../sample.js';

/** y[n, c, i, j] = value at the place (row(i), column(j)) of the plane, linear between pixels. */
function resized(
    { shape, data }: NdArray,
    size: readonly [number, number],
    place: (i: number, inputs: number, outputs: number) => number,
): NdArray {
    const [n = 0, c = 0, height = 0, width = 0] = shape;
    const [rows, columns] = size;
    const out = new Float64Array(n * c * rows * columns);
    const clamp = (value: number, most: number): number => Math.min(Math.max(value, 0), most);
    for (let at = 0; at < out.length; at++) {
        const plane = Math.floor(at / (rows * columns)) * height * width;
        const y = clamp(place(Math.floor(at / columns) % rows, height, rows), height - 1);
        const x = clamp(place(at % columns, width, columns), width - 1);
        const [top, left] = [Math.floor(y), Math.floor(x)];
        const [bottom, right] = [Math.min(top + 1, height - 1), Math.min(left + 1, width - 1)];
        const value = (i: number, j: number): number => data[plane + i * width + j];
        out[at] =
            (1 - (y - top)) * ((1 - (x - left)) * value(top, left) + (x - left) * value(top, right)) +
            (y - top) * ((1 - (x - left)) * value(bottom, left) + (x - left) * value(bottom, right));
    }
    return { shape: [n, c, rows, columns], data: out };
}

const zeroSizes: OpSample['zeroSizes'] = [[[0, 2, 3, 4]], [[1, 0, 3, 4]]];

export const imageSamples: readonly OpSample[] = [
    {
        op: 'interpolate',
        title: 'nearest',
        inputs: [{ shape: [2, 2, 3, 4] }],
        run: (x) => interpolate(x, { size: [5, 6] }),
        reference: (x) => resized(x, [5, 6], (i, inputs, outputs) => Math.floor((i * inputs) / outputs)),
        secondOrder: true,
        zeroSizes,
        wrong: [
            { call: () => interpolate(ones([1, 1, 2, 2]), {}), message: /\[interpolate\] give either/ },
            {
                call: () => interpolate(ones([1, 1, 2, 2]), { size: 0 }),
                message: /\[interpolate\] size must be an integer of at least 1/,
            },
            {
                call: () => interpolate(ones([1, 1, 2, 2]), { scaleFactor: 0.25 }),
                message: /\[interpolate\] input \[1, 1, 2, 2\] and result need at least one pixel/,
            },
            {
                call: () => interpolate(ones([1, 1, 2, 2]), { size: 3, alignCorners: true }),
                message: /\[interpolate\] alignCorners goes with mode 'bilinear' only/,
            },
        ],
    },
    {
        op: 'interpolate',
        title: 'bilinear',
        inputs: [{ shape: [2, 2, 3, 4] }],
        run: (x) => interpolate(x, { size: [5, 3], mode: 'bilinear' }),
        reference: (x) => resized(x, [5, 3], (i, inputs, outputs) => ((i + 0.5) * inputs) / outputs - 0.5),
        secondOrder: true,
        large: [[6, 40, 12, 14]],
        zeroSizes,
    },
    {
        op: 'interpolate',
        title: 'bilinear, corners aligned',
        inputs: [{ shape: [1, 2, 3, 4] }],
        run: (x) => interpolate(x, { scaleFactor: [2, 1.5], mode: 'bilinear', alignCorners: true }),
        reference: (x) => resized(x, [6, 6], (i, inputs, outputs) => (i * (inputs - 1)) / (outputs - 1)),
        secondOrder: true,
        zeroSizes,
    },
];
