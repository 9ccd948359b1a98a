import { defineOp } from '../autograd/define_op.js';
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

/** For each position of the input, which outputs read it. */
function transposed(taps: Taps, inputs: number): Taps {
    const result: Tap[][] = Array.from({ length: inputs }, () => []);
    taps.forEach((list, output) => {
        for (const { position, weight } of list) result[position]?.push({ position: output, weight });
    });
    return result;
}

/** Positions int32 [outputs, most taps] and weights float64 of the same shape; -1 where there is no tap. */
function tables(taps: Taps): [Tensor, Tensor] {
    const most = taps.reduce((longest, list) => Math.max(longest, list.length), 1);
    const positions = new Int32Array(taps.length * most).fill(-1);
    const weights = new Float64Array(taps.length * most);
    taps.forEach((list, output) => {
        list.forEach(({ position, weight }, k) => {
            positions[output * most + k] = position;
            weights[output * most + k] = weight;
        });
    });
    const shape = [taps.length, most];
    return [fromStorage(positions, shape, 'int32'), fromStorage(weights, shape, 'float64')];
}

// x [N, C, H, W] -> y [N, C, rows, columns], a sum of weighted taps along both axes
const resampleOp = defineOp<readonly [Tensor], ResampleOptions>({
    name: 'resample2d',
    forward: (_, [x], { rows, columns }) => {
        const operands = [...tables(rows), ...tables(columns)];
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
