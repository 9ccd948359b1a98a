import type { NdArray } from './sample.js';

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** The place of element `flat` in row-major order. */
function placeOf(shape: readonly number[], flat: number): number[] {
    const place = new Array<number>(shape.length);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
        place[axis] = flat % shape[axis];
        flat = Math.floor(flat / shape[axis]);
    }
    return place;
}

/** An array whose elements are a function of their place. */
export function build(shape: readonly number[], f: (place: number[]) => number): NdArray {
    return { shape, data: Float64Array.from({ length: sizeOf(shape) }, (_, i) => f(placeOf(shape, i))) };
}

/** The element at a place. */
export function at(x: NdArray, place: readonly number[]): number {
    return x.data[place.reduce((flat, index, axis) => flat * x.shape[axis] + index, 0)];
}

/** A place with another index along one axis. */
export function moved(place: readonly number[], axis: number, index: number): number[] {
    return place.map((own, i) => (i === axis ? index : own));
}

/** f of the elements along some axes, in row-major order; without `keepDims` the axes disappear. */
export function reduceWith(
    x: NdArray,
    axes: readonly number[],
    f: (values: number[]) => number,
    keepDims = false,
): NdArray {
    const groups = new Map<string, number[]>();
    const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    const outputs = build(kept, () => 0);
    outputs.data.forEach((_, i) => groups.set(placeOf(kept, i).join(), []));
    x.data.forEach((value, i) => {
        const place = placeOf(x.shape, i).map((index, axis) => (axes.includes(axis) ? 0 : index));
        groups.get(place.join())?.push(value);
    });
    const shape = keepDims ? kept : x.shape.filter((_, axis) => !axes.includes(axis));
    return { shape, data: Float64Array.from(groups.values(), f) };
}

/** Each row along one axis through `f`, which gives as many values or another number of them. */
export function mapRows(x: NdArray, axis: number, f: (row: number[]) => readonly number[]): NdArray {
    const rows = new Map<string, readonly number[]>();
    const row = (place: readonly number[]): readonly number[] => {
        const key = moved(place, axis, 0).join();
        const known = rows.get(key);
        if (known) return known;
        const made = f(Array.from({ length: x.shape[axis] }, (_, i) => at(x, moved(place, axis, i))));
        rows.set(key, made);
        return made;
    };
    const length = f(Array.from({ length: x.shape[axis] }, () => 0)).length;
    return build(moved(x.shape, axis, length), (place) => row(place)[place[axis]]);
}
