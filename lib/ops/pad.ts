import { run } from '../native/call.js';
import { defineOp } from '../autograd/define_op.js';
import { describeValue, isList } from '../support/describe_value.js';
import { shapeText } from '../tensor/shape.js';
import { viewOf, type Tensor } from '../tensor/tensor.js';
import { pick } from './arrange.js';
import { requireTensor } from './convert.js';
import { full } from './create.js';
import { installMethods } from './methods.js';
import { slice } from './shape_ops.js';

/** Elements added before and after an axis; negative ones are cut off. */
export type Padding = readonly [before: number, after: number];

export interface PadOptions {
    /** constant (default): `value`; reflect: mirrored without the edge; replicate: the edge; circular: from the other end. */
    readonly mode?: 'constant' | 'reflect' | 'replicate' | 'circular';
    /** Default 0. */
    readonly value?: number;
}

interface ConstantOptions {
    /** One pair per axis, none negative. */
    readonly padding: readonly Padding[];
    readonly value: number;
}

const padOp = defineOp<readonly [Tensor], ConstantOptions>({
    name: 'pad',
    forward: (_, [x], { padding, value }) => {
        const shape = x.shape.map(
            (size, axis) => size + (padding[axis]?.[0] ?? 0) + (padding[axis]?.[1] ?? 0),
        );
        const y = full(shape, value, { dtype: x.dtype, device: x.device });
        if (x.size === 0) return y;
        const start = y.strides.reduce((sum, stride, axis) => sum + stride * (padding[axis]?.[0] ?? 0), 0);
        const middle = viewOf(y, x.shape, y.strides, start);
        run('copy', [x], [middle], [], 'pad');
        middle.dispose();
        return y;
    },
    backward: (dy, { options: { padding }, shapes: [shape = []] }) => [
        padding.reduce((part, [before], axis) => slice(part, axis, before, before + (shape[axis] ?? 0)), dy),
    ],
    differentiable: true,
});

const paddingModes = ['reflect', 'replicate', 'circular'] as const;

/** Which element of an axis of `size` stands at `place`, outside it too. */
function paddedPlace(mode: (typeof paddingModes)[number], place: number, size: number): number {
    switch (mode) {
        case 'reflect': {
            const mirrored = place < 0 ? -place : place;
            return mirrored >= size ? 2 * (size - 1) - mirrored : mirrored;
        }
        case 'replicate':
            return Math.min(Math.max(place, 0), size - 1);
        case 'circular':
            return ((place % size) + size) % size;
    }
}

/** Pads one axis with copies of its own elements. */
function padByIndex(
    x: Tensor,
    axis: number,
    [before, after]: Padding,
    mode: (typeof paddingModes)[number],
): Tensor {
    const size = x.shape[axis] ?? 0;
    const longest = mode === 'reflect' ? size - 1 : mode === 'circular' ? size : size > 0 ? Infinity : 0;
    if (before > longest || after > longest) {
        throw new RangeError(
            `[pad] ${mode} adds at most ${longest} elements to axis ${axis} of shape ${shapeText(x.shape)}, ` +
                `got ${before} and ${after}`,
        );
    }
    const length = Math.max(0, before + size + after);
    return pick(
        x,
        axis,
        Array.from({ length }, (_, i) => paddedPlace(mode, i - before, size)),
    );
}

/** What is left of x where padding is negative. */
function crop(x: Tensor, padding: readonly Padding[]): Tensor {
    return padding.reduce((part, [before, after], axis) => {
        if (before >= 0 && after >= 0) return part;
        const size = x.shape[axis] ?? 0;
        return slice(part, axis, Math.max(0, -before), Math.max(0, size + Math.min(0, after)));
    }, x);
}

/**
 * Adds elements around x: one pair [before, after] per dimension, for the last `padding.length` of them. Negative counts
 * cut.
 *
 * Shapes: x [.., D_i, ..] -> [.., before_i + D_i + after_i, ..].
 *
 * @throws RangeError when there are more pairs than dimensions, a size would be negative, or reflect and circular ask for
 * more elements than there are.
 * @example
 * import { tensor } from 'nativegrad';
 * console.log(tensor([1, 2, 3]).pad([[2, 1]], { mode: 'reflect' }).toArray()); // [3, 2, 1, 2, 3, 2]
 */
export function pad(x: Tensor, padding: readonly Padding[], options: PadOptions = {}): Tensor {
    requireTensor('pad', x);
    const { mode = 'constant', value = 0 } = options;
    if (!isList(padding))
        throw new TypeError(`[pad] takes pairs, one per dimension: [[1, 1]], got ${describeValue(padding)}`);
    const counts = padding.flat();
    if (counts.length !== 2 * padding.length || counts.some((count) => !Number.isInteger(count))) {
        throw new TypeError('[pad] takes pairs of integers, one per dimension: [[before, after], ...]');
    }
    if (padding.length > x.rank)
        throw new RangeError(`[pad] got ${padding.length} pairs for shape ${shapeText(x.shape)}`);
    const untouched = new Array<Padding>(x.rank - padding.length).fill([0, 0]);
    const pairs = [...untouched, ...padding];
    pairs.forEach(([before, after], axis) => {
        if ((x.shape[axis] ?? 0) + before + after < 0) {
            throw new RangeError(
                `[pad] ${before} and ${after} cut more than axis ${axis} of shape ${shapeText(x.shape)} has`,
            );
        }
    });
    if (mode === 'constant') {
        const added = pairs.map(([before, after]): Padding => [Math.max(0, before), Math.max(0, after)]);
        return padOp([crop(x, pairs)], { padding: added, value });
    }
    if (!paddingModes.includes(mode)) {
        throw new TypeError(`[pad] mode must be constant, ${paddingModes.join(', ')}, got ${mode}`);
    }
    return pairs.reduce(
        (y, pair, axis) => (pair[0] === 0 && pair[1] === 0 ? y : padByIndex(y, axis, pair, mode)),
        x,
    );
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        pad(padding: readonly Padding[], options?: PadOptions): Tensor;
    }
}

installMethods({ pad });
