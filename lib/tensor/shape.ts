import { describeValue, isList } from '../support/describe_value.js';

/** Sizes of a tensor's dimensions. */
export type Shape = readonly number[];

export const maxRank = 8;

export function sizeOf(shape: Shape): number {
    let size = 1;
    for (const dimension of shape) size *= dimension;
    return size;
}

export function shapeText(shape: Shape): string {
    return `[${shape.join(', ')}]`;
}

export function sameShape(a: Shape, b: Shape): boolean {
    if (a === b) return true;
    if (a.length !== b.length) return false;
    for (let axis = 0; axis < a.length; axis++) if (a[axis] !== b[axis]) return false;
    return true;
}

/** The numbers of an argument list: `f([2, 3])` and `f(2, 3)` mean the same. `what` names them in the error. */
export function listArgument(op: string, what: string, first: unknown, rest: readonly number[]): Shape {
    const list: unknown = typeof first === 'number' ? [first, ...rest] : first;
    requireList(op, what, list);
    return list;
}

/** Throws where `list` is anything but an array. */
export function requireList(op: string, what: string, list: unknown): asserts list is readonly number[] {
    if (!Array.isArray(list))
        throw new TypeError(`[${op}] ${what} must be a list such as [2, 3], got ${describeValue(list)}`);
}

/** Checks sizes that come from outside; `op` names the caller in the error. */
export function checkShape(op: string, shape: Shape): void {
    if (!Array.isArray(shape))
        throw new TypeError(`[${op}] expected a shape such as [2, 3], got ${describeValue(shape)}`);
    if (shape.length > maxRank) {
        throw new RangeError(
            `[${op}] at most ${maxRank} dimensions, got ${shape.length}: ${shapeText(shape)}`,
        );
    }
    for (const size of shape) {
        if (!Number.isSafeInteger(size) || size < 0) {
            throw new RangeError(`[${op}] sizes must be non-negative integers, got ${shapeText(shape)}`);
        }
    }
    if (!Number.isSafeInteger(sizeOf(shape)))
        throw new RangeError(`[${op}] shape ${shapeText(shape)} is too large`);
}

/** PyTorch's `dim=1` is an argument by position here: the message shows how. */
function noAxis(op: string, rule: string, value: unknown): TypeError {
    const named =
        typeof value === 'object' && value !== null
            ? Object.entries(value).find(([name]) => /^(dim|dims|axis|axes)$/.test(name))
            : undefined;
    const hint = named
        ? `; pass it by position: ${JSON.stringify(named[1])} in place of { ${named[0]} }`
        : '';
    return new TypeError(`[${op}] ${rule}, got ${describeValue(value)}${hint}`);
}

/** Non-negative form of an axis; negative ones count from the end. A 0-d tensor has axes 0 and -1, as in PyTorch. */
export function normalizeAxis(op: string, axis: number, rank: number): number {
    if (typeof axis !== 'number') throw noAxis(op, 'axis must be an integer', axis);
    const range = Math.max(rank, 1);
    if (!Number.isInteger(axis) || axis < -range || axis >= range) {
        throw new RangeError(
            `[${op}] axis ${axis} is outside [${-range}, ${range - 1}] for a tensor of rank ${rank}`,
        );
    }
    return axis < 0 ? axis + range : axis;
}

/** Sorted, distinct, non-negative axes; undefined or an empty list means all of them. */
export function normalizeAxes(
    op: string,
    axes: number | readonly number[] | undefined,
    rank: number,
): number[] {
    if (axes !== undefined && typeof axes !== 'number' && !isList(axes))
        throw noAxis(op, 'axes must be an integer or a list of them', axes);
    if (axes === undefined || (typeof axes !== 'number' && axes.length === 0))
        return Array.from({ length: rank }, (_, i) => i);
    const list = (typeof axes === 'number' ? [axes] : axes).map((axis) => normalizeAxis(op, axis, rank));
    if (new Set(list).size !== list.length)
        throw new RangeError(`[${op}] axes ${shapeText(list)} name a dimension twice`);
    return rank === 0 ? [] : list.sort((a, b) => a - b);
}

/** The shape that two shapes broadcast to (NumPy's rule). */
export function broadcastShapes(op: string, a: Shape, b: Shape): Shape {
    if (sameShape(a, b)) return a;
    const rank = Math.max(a.length, b.length);
    const result = new Array<number>(rank);
    for (let i = 1; i <= rank; i++) {
        const left = a[a.length - i] ?? 1;
        const right = b[b.length - i] ?? 1;
        if (left !== right && left !== 1 && right !== 1) {
            throw new RangeError(
                `[${op}] shapes ${shapeText(a)} and ${shapeText(b)} do not broadcast: ` +
                    `${left} and ${right} at dimension -${i}; sizes must be equal or 1`,
            );
        }
        result[rank - i] = left === 1 ? right : left;
    }
    return result;
}

/** Strides of a dense row-major tensor. */
export function rowMajorStrides(shape: Shape): number[] {
    const strides = new Array<number>(shape.length);
    let stride = 1;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
        strides[axis] = stride;
        stride *= Math.max(shape[axis] ?? 1, 1);
    }
    return strides;
}

/** Whether two elements of such a layout share memory. */
export function overlaps(shape: Shape, strides: readonly number[]): boolean {
    if (shape.includes(0)) return false;
    const axes = shape
        .map((size, axis) => ({ size, stride: strides[axis] ?? 0 }))
        .filter(({ size }) => size > 1)
        .sort((a, b) => a.stride - b.stride);
    // Where each axis steps over all that the finer ones reach, nothing can meet.
    let reach = 0;
    let meets = false;
    for (const { size, stride } of axes) {
        if (stride <= reach) meets = true;
        reach += (size - 1) * stride;
    }
    if (!meets || axes[0]?.stride === 0) return meets;
    // Interleaved axes, such as strides 2 and 3: only counting tells.
    let offsets = [0];
    for (const { size, stride } of axes) {
        const next = new Set<number>();
        for (let i = 0; i < size; i++) for (const offset of offsets) next.add(offset + i * stride);
        if (next.size < offsets.length * size) return true;
        offsets = [...next];
    }
    return false;
}

/** Whether the elements fill one block without gaps or overlaps, in whatever order of axes. */
export function isDense(shape: Shape, strides: readonly number[]): boolean {
    const count = sizeOf(shape);
    if (count === 0) return true;
    const reach = shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), 1);
    return reach === count && !overlaps(shape, strides);
}

export function isRowMajor(shape: Shape, strides: readonly number[]): boolean {
    let expected = 1;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
        const size = shape[axis] ?? 1;
        if (size === 0) return true;
        if (size !== 1 && strides[axis] !== expected) return false;
        expected *= size;
    }
    return true;
}
