import { describeValue } from '../support/describe_value.js';
import { shapeText } from '../tensor/shape.js';

/** One number for both axes, or [rows, columns]. */
export type Pair = number | readonly [number, number] | readonly number[];

export type Two = readonly [number, number];

const ruleOf = (least: number, axes: number): string =>
    `an integer of at least ${least}${axes === 1 ? '' : ' or two of them'}`;

/** One entry per axis; integers not below `least`. `where` begins the error: `[conv2d]` or `Conv2d:`. */
export function entriesOf(where: string, name: string, value: unknown, least: number, axes: 1 | 2): number[] {
    const list: readonly unknown[] = Array.isArray(value) ? value : new Array<unknown>(axes).fill(value);
    const fits = (entry: unknown): entry is number => Number.isSafeInteger(entry) && Number(entry) >= least;
    if (list.length === axes && list.every(fits)) return [...list];
    const got = Array.isArray(value)
        ? shapeText(value)
        : typeof value === 'number'
          ? value
          : describeValue(value);
    throw new RangeError(`${where} ${name} must be ${ruleOf(least, axes)}, got ${got}`);
}

/** Both entries of a pair; integers not below `least`. */
export function pairOf(op: string, name: string, value: Pair, least: number): Two {
    const [rows = least, columns = least] = entriesOf(`[${op}]`, name, value, least, 2);
    return [rows, columns];
}

/** Parameters of the native side: each list with its count in front. */
export function listParameters(...lists: readonly (readonly number[])[]): number[] {
    return lists.flatMap((list) => [list.length, ...list]);
}
