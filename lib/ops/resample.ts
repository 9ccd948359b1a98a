import { defineOp } from '../autograd/define_op.js';
import type { Device } from '../tensor/device.js';
import type { Shape } from '../tensor/shape.js';
import { fromStorage, type Tensor } from '../tensor/tensor.js';
import { runNew } from './kernels.js';

/** One position that an output position reads, and its weight. */
export interface Tap {
    readonly position: number;
    readonly weight: number;
}

/** For each position of the output along one axis, what it reads. */
export type Taps = readonly (readonly Tap[])[];

interface ResampleOptions {
    readonly rows: Taps;
    readonly columns: Taps;
}

/** What was built for a shape is built once: it depends on sizes alone. */
const mostShapes = 64;
const known = new Map<string, Taps>();

/** The taps that `make` gives, kept under `key`, which must name all that they depend on. */
export function tapsOf(key: string, make: () => Taps): Taps {
    const present = known.get(key);
    if (present) return present;
    const taps = make();
    // Maps keep their order: the first key is the oldest.
    const [oldest] = known.keys();
    if (known.size >= mostShapes && oldest !== undefined) known.delete(oldest);
    known.set(key, taps);
    return taps;
}

const transposes = new WeakMap<Taps, Map<number, Taps>>();

/** As `transpose`, once for each list of taps. */
function transposed(taps: Taps, inputs: number): Taps {
    let own = transposes.get(taps);
    if (!own) transposes.set(taps, (own = new Map<number, Taps>()));
    let result = own.get(inputs);
    if (!result) own.set(inputs, (result = transpose(taps, inputs)));
    return result;
}

/** For each position of the input, which outputs read it. */
function transpose(taps: Taps, inputs: number): Taps {
    const result: Tap[][] = Array.from({ length: inputs }, () => []);
    taps.forEach((list, output) => {
        for (const { position, weight } of list) result[position]?.push({ position: output, weight });
    });
    return result;
}

interface Table {
    readonly shape: Shape;
    readonly positions: Int32Array;
    readonly weights: Float64Array;
}

const tables = new WeakMap<Taps, Table>();

/** Positions int32 [outputs, most taps] and weights float64 of the same shape; -1 where there is no tap. */
function operandsOf(taps: Taps, device: Device): [Tensor, Tensor] {
    let table = tables.get(taps);
    if (!table) tables.set(taps, (table = tableOf(taps)));
    const { shape, positions, weights } = table;
    return [fromStorage(positions, shape, 'int32', device), fromStorage(weights, shape, 'float64', device)];
}

function tableOf(taps: Taps): Table {
    const most = taps.reduce((longest, list) => Math.max(longest, list.length), 1);
    const positions = new Int32Array(taps.length * most).fill(-1);
    const weights = new Float64Array(taps.length * most);
    taps.forEach((list, output) => {
        list.forEach(({ position, weight }, k) => {
            positions[output * most + k] = position;
            weights[output * most + k] = weight;
        });
    });
    return { shape: [taps.length, most], positions, weights };
}

// x [N, C, H, W] -> y [N, C, rows, columns], a sum of weighted taps along both axes
const resampleOp = defineOp<readonly [Tensor], ResampleOptions>({
    name: 'resample2d',
    forward: (_, [x], { rows, columns }) => {
        const operands = [...operandsOf(rows, x.device), ...operandsOf(columns, x.device)];
        const shape: Shape = [x.shape[0] ?? 0, x.shape[1] ?? 0, rows.length, columns.length];
        const y = runNew('resample2d', [x, ...operands], shape, x.dtype);
        for (const operand of operands) operand.dispose();
        return y;
    },
    backward: (dy, { options: { rows, columns }, shapes: [shape = []] }) => [
        resample(dy, transposed(rows, shape[2] ?? 0), transposed(columns, shape[3] ?? 0)),
    ],
    differentiable: true,
});

/**
 * The linear map that averages and interpolations of images are: y[n, c, i, j] = sum over the taps r of row i and s of
 * column j of their weights times x[n, c, r, s].
 */
export function resample(x: Tensor, rows: Taps, columns: Taps): Tensor {
    return resampleOp([x], { rows, columns });
}
