import { run } from '../native/call.js';
import { defineOp } from '../autograd/define_op.js';
import { normalizeAxis, shapeText, type Shape } from '../tensor/shape.js';
import { viewOf, type Tensor } from '../tensor/tensor.js';
import { gt, lt } from './compare.js';
import { requireTensor } from './convert.js';
import { arange, zeros } from './create.js';
import { installMethods } from './methods.js';
import { unsqueeze } from './shape_ops.js';
import { maskedFill } from './where.js';

interface DiagonalOptions {
    readonly offset: number;
    readonly first: number;
    readonly second: number;
}

// x [.., M, .., N, ..] -> [.., K]: the diagonal becomes the last axis
function diagonalView(x: Tensor, { offset, first, second }: DiagonalOptions): Tensor {
    const [rows, columns] = [x.shape[first] ?? 0, x.shape[second] ?? 0];
    const [down, right] = [x.strides[first] ?? 1, x.strides[second] ?? 1];
    const [top, left] = [Math.max(0, -offset), Math.max(0, offset)];
    const length = Math.max(0, Math.min(rows - top, columns - left));
    const rest = x.shape.map((_, axis) => axis).filter((axis) => axis !== first && axis !== second);
    const shape = [...rest.map((axis) => x.shape[axis] ?? 1), length];
    const strides = [...rest.map((axis) => x.strides[axis] ?? 1), down + right];
    return viewOf(x, shape, strides, length === 0 ? 0 : top * down + left * right);
}

const diagonalOp = defineOp<readonly [Tensor], DiagonalOptions>({
    name: 'diagonal',
    forward: (_, [x], options) => diagonalView(x, options),
    backward: (dy, { options, shapes: [shape = []] }) => [diagonalScatter(dy, shape, options)],
    differentiable: true,
});

const diagonalScatterOp = defineOp<readonly [Tensor], DiagonalOptions & { readonly shape: Shape }>({
    name: 'diagonal_scatter',
    forward: (_, [x], options) => {
        const y = zeros(options.shape, { dtype: x.dtype, device: x.device });
        const target = diagonalView(y, options);
        run('copy', [x], [target]);
        target.dispose();
        return y;
    },
    backward: (dy, { options }) => [diagonalOf(dy, options)],
    differentiable: true,
});

function diagonalOf(x: Tensor, options: DiagonalOptions): Tensor {
    return diagonalOp([x], options);
}

/** Zeros of `shape` with x on the diagonal. */
function diagonalScatter(x: Tensor, shape: Shape, options: DiagonalOptions): Tensor {
    return diagonalScatterOp([x], { ...options, shape });
}

function requireOffset(op: string, diagonal: number): void {
    if (!Number.isSafeInteger(diagonal))
        throw new RangeError(`[${op}] the diagonal must be an integer, got ${diagonal}`);
}

/**
 * A diagonal of two axes, which becomes the last axis; a view. offset > 0 lies above the main diagonal, < 0 below it.
 *
 * Shapes: x [.., M, .., N, ..] -> [.., K].
 */
export function diagonal(x: Tensor, offset = 0, first = 0, second = 1): Tensor {
    requireTensor('diagonal', x);
    requireOffset('diagonal', offset);
    const axes = {
        first: normalizeAxis('diagonal', first, x.rank),
        second: normalizeAxis('diagonal', second, x.rank),
    };
    if (axes.first === axes.second || x.rank < 2)
        throw new RangeError(
            `[diagonal] needs two axes, got ${first} and ${second} of shape ${shapeText(x.shape)}`,
        );
    return diagonalOf(x, { offset, ...axes });
}

/** A vector [K] becomes the diagonal of a matrix of zeros; of a matrix [M, N], the diagonal is taken (a view). */
export function diag(x: Tensor, diagonal = 0): Tensor {
    requireTensor('diag', x);
    requireOffset('diag', diagonal);
    const options = { offset: diagonal, first: 0, second: 1 };
    if (x.rank === 2) return diagonalOf(x, options);
    if (x.rank !== 1)
        throw new RangeError(
            `[diag] takes a vector or a matrix, got shape ${shapeText(x.shape)}; see diagonal()`,
        );
    const size = x.size + Math.abs(diagonal);
    return diagonalScatter(x, [size, size], options);
}

/** Zeros where a column of the last axis lies beyond its row's place on a diagonal. */
function triangle(
    op: string,
    x: Tensor,
    diagonal: number,
    isGone: (column: Tensor, limit: Tensor) => Tensor,
): Tensor {
    requireTensor(op, x);
    requireOffset(op, diagonal);
    if (x.rank < 2)
        throw new RangeError(`[${op}] needs a matrix or a batch of them, got ${shapeText(x.shape)}`);
    const [rows = 0, columns = 0] = x.shape.slice(-2);
    const limits = unsqueeze(arange(diagonal, diagonal + rows, 1, { dtype: 'int64', device: x.device }), 1);
    return maskedFill(x, isGone(arange(0, columns, 1, { dtype: 'int64', device: x.device }), limits), 0);
}

/** x [.., M, N] with zeros above a diagonal of the last two axes (0: the main one). */
export function tril(x: Tensor, diagonal = 0): Tensor {
    return triangle('tril', x, diagonal, gt);
}

/** x [.., M, N] with zeros below a diagonal of the last two axes (0: the main one). */
export function triu(x: Tensor, diagonal = 0): Tensor {
    return triangle('triu', x, diagonal, lt);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        diagonal(offset?: number, first?: number, second?: number): Tensor;
        diag(diagonal?: number): Tensor;
        tril(diagonal?: number): Tensor;
        triu(diagonal?: number): Tensor;
    }
}

installMethods({ diagonal, diag, tril, triu });
