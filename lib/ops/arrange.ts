import {
    checkShape,
    normalizeAxes,
    normalizeAxis,
    requireList,
    shapeText,
    sizeOf,
    type Shape,
} from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { requireTensor } from './convert.js';
import { fromTypedArray } from './create.js';
import { indexSelect } from './gather.js';
import { concat } from './join.js';
import { installMethods } from './methods.js';
import { expand, permute, reshape, slice, transpose } from './shape_ops.js';

/** Moves dimensions to other places; the rest keep their order. A view. */
export function movedim(x: Tensor, from: number | readonly number[], to: number | readonly number[]): Tensor {
    requireTensor('movedim', x);
    const places = (axes: number | readonly number[]): number[] => {
        const list = typeof axes === 'number' ? [axes] : axes;
        requireList('movedim', 'the axes', list);
        return list.map((axis) => normalizeAxis('movedim', axis, x.rank));
    };
    const [sources, targets] = [places(from), places(to)];
    const repeats = (axes: number[]): boolean => new Set(axes).size !== axes.length;
    if (sources.length !== targets.length || repeats(sources) || repeats(targets)) {
        throw new RangeError(
            `[movedim] needs as many different targets as sources, got ${shapeText(sources)} and ${shapeText(targets)}`,
        );
    }
    if (x.rank === 0) return x;
    const others = x.shape.map((_, axis) => axis).filter((axis) => !sources.includes(axis));
    const order = x.shape.map((_, axis) => {
        const source = targets.indexOf(axis);
        return source >= 0 ? (sources[source] ?? 0) : (others.shift() ?? 0);
    });
    return permute(x, order);
}

/** Swaps two dimensions; a view. The same as `transpose(x, a, b)`. */
export function swapAxes(x: Tensor, a: number, b: number): Tensor {
    requireTensor('swapAxes', x);
    return transpose(x, a, b);
}

/** x with the shape that it broadcasts to, without copying; a read-only view. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
    requireTensor('broadcastTo', x);
    requireList('broadcastTo', 'the shape', shape);
    return expand(x, shape);
}

/** Repeats along one axis, through [before, 1, size, after] -> [before, times, size, after]. */
function repeatAxis(x: Tensor, axis: number, times: number): Tensor {
    if (times === 1) return x;
    const [before, after] = [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis + 1))];
    const size = x.shape[axis] ?? 1;
    const copies = expand(reshape(x, [before, 1, size, after]), [before, times, size, after]);
    return reshape(
        copies,
        x.shape.map((own, i) => (i === axis ? own * times : own)),
    );
}

/**
 * The whole tensor again and again: `repeats` has one count per dimension, and may name new leading ones.
 *
 * Shapes: x [D_1, ..], repeats [r_1, ..] -> [r_1 D_1, ..].
 */
export function repeat(x: Tensor, repeats: readonly number[]): Tensor {
    requireTensor('repeat', x);
    checkShape('repeat', repeats);
    if (repeats.length < x.rank) {
        throw new RangeError(
            `[repeat] needs at least ${x.rank} counts for shape ${shapeText(x.shape)}, got ${shapeText(repeats)}`,
        );
    }
    const missing = new Array<number>(repeats.length - x.rank).fill(1);
    const start = reshape(x, [...missing, ...x.shape]);
    return repeats.reduce((y, times, axis) => repeatAxis(y, axis, times), start);
}

function rollAxis(x: Tensor, axis: number, shift: number): Tensor {
    const size = x.shape[axis] ?? 0;
    const cut = size === 0 ? 0 : ((-shift % size) + size) % size;
    return cut === 0 ? x : concat([slice(x, axis, cut), slice(x, axis, 0, cut)], axis);
}

/** Shifts elements along axes; what leaves one end comes in at the other. Without axes: in the flattened tensor. */
export function roll(
    x: Tensor,
    shifts: number | readonly number[],
    axes?: number | readonly number[],
): Tensor {
    requireTensor('roll', x);
    const counts = typeof shifts === 'number' ? [shifts] : shifts;
    const list = axes === undefined ? [] : typeof axes === 'number' ? [axes] : axes;
    requireList('roll', 'the shifts', counts);
    requireList('roll', 'the axes', list);
    const flat = list.length === 0;
    if (counts.some((shift) => !Number.isInteger(shift)) || counts.length !== (flat ? 1 : list.length)) {
        throw new RangeError(
            `[roll] needs one integer shift per axis, got shifts ${shapeText(counts)} and axes ${shapeText(list)}`,
        );
    }
    if (flat) return reshape(rollAxis(reshape(x, [x.size]), 0, counts[0] ?? 0), x.shape);
    return counts.reduce((y, shift, i) => {
        const axis = normalizeAxis('roll', list[i] ?? 0, x.rank);
        return x.rank === 0 ? y : rollAxis(y, axis, shift);
    }, x);
}

/** @internal Slices of x along an axis in the order of `places`. */
export function pick(x: Tensor, axis: number, places: readonly number[]): Tensor {
    return indexSelect(
        x,
        axis,
        fromTypedArray(Int32Array.from(places), [places.length], { device: x.device }),
    );
}

/** Reverses the order along axes. */
export function flip(x: Tensor, axes: number | readonly number[]): Tensor {
    requireTensor('flip', x);
    if (typeof axes !== 'number') requireList('flip', 'the axes', axes);
    const list = typeof axes !== 'number' && axes.length === 0 ? [] : normalizeAxes('flip', axes, x.rank);
    return list.reduce((y, axis) => {
        const size = x.shape[axis] ?? 0;
        return pick(
            y,
            axis,
            Array.from({ length: size }, (_, i) => size - 1 - i),
        );
    }, x);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        movedim(from: number | readonly number[], to: number | readonly number[]): Tensor;
        swapAxes(a: number, b: number): Tensor;
        broadcastTo(shape: Shape): Tensor;
        repeat(repeats: readonly number[]): Tensor;
        roll(shifts: number | readonly number[], axes?: number | readonly number[]): Tensor;
        flip(axes: number | readonly number[]): Tensor;
    }
}

installMethods({ movedim, swapAxes, broadcastTo, repeat, roll, flip });
