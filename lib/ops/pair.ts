import { shapeText } from '../tensor/shape.js';

/** One number for both axes, or [rows, columns]. */
export type Pair = number | readonly [number, number] | readonly number[];

export type Two = readonly [number, number];

/** Both entries of a pair; integers not below `least`. */
export function pairOf(op: string, name: string, value: Pair, least: number): Two {
    const list = typeof value === 'number' ? [value, value] : value;
    const [rows, columns] = list;
    if (
        list.length !== 2 ||
        rows === undefined ||
        columns === undefined ||
        !list.every((entry) => Number.isSafeInteger(entry) && entry >= least)
    ) {
        throw new RangeError(
            `[${op}] ${name} must be an integer of at least ${least} or two of them, got ${
                typeof value === 'number' ? value : shapeText(value)
            }`,
        );
    }
    return [rows, columns];
}

/** Parameters of the native side: each list with its count in front. */
export function listParameters(...lists: readonly (readonly number[])[]): number[] {
    return lists.flatMap((list) => [list.length, ...list]);
}
