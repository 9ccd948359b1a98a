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

/** Checks sizes that come from outside; `op` names the caller in the error. */
export function checkShape(op: string, shape: Shape): void {
    if (!Array.isArray(shape))
        throw new TypeError(`[${op}] expected a shape such as [2, 3], got ${String(shape)}`);
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

/** Non-negative form of an axis; negative ones count from the end. A 0-d tensor has axes 0 and -1, as in PyTorch. */
export function normalizeAxis(op: string, axis: number, rank: number): number {
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
