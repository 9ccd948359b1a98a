import type { DType, Tensor } from '../../lib/index.js';
import { reduceWith } from './nd.js';
import type { OpSample } from './sample.js';

export const every: readonly DType[] = [
    'float32',
    'float64',
    'float16',
    'bfloat16',
    'int64',
    'int32',
    'uint8',
    'bool',
];
export const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
export const product = (values: readonly number[]): number => values.reduce((all, value) => all * value, 1);
export const average = (values: readonly number[]): number => total(values) / values.length;
export const spread = (values: readonly number[], correction: number): number =>
    total(values.map((value) => (value - average(values)) ** 2)) / (values.length - correction);

interface Case {
    readonly title: string;
    readonly shape: readonly number[];
    readonly axes: readonly number[] | undefined;
    readonly keepDims: boolean;
    readonly large: readonly number[];
}

/** Over every element, the last, first and outer axes: each takes another way through the kernels. */
const cases: readonly Case[] = [
    { title: 'all axes', shape: [3, 4, 5], axes: undefined, keepDims: false, large: [20, 41, 50] },
    { title: 'the last axis', shape: [3, 4, 5], axes: [-1], keepDims: false, large: [30, 3, 301] },
    { title: 'the first axis', shape: [6, 5], axes: [0], keepDims: false, large: [601, 70] },
    { title: 'a middle axis', shape: [2, 4, 3], axes: [1], keepDims: false, large: [1, 600, 65] },
    { title: 'outer axes, kept', shape: [3, 4, 5], axes: [0, 2], keepDims: true, large: [41, 30, 43] },
];

export type Reduction = (x: Tensor, axes: readonly number[] | undefined, keepDims: boolean) => Tensor;

/** One row for each of the first `count` cases; `wrong` stands in the first. */
export function rowsOf(
    op: string,
    call: Reduction,
    f: (values: number[]) => number,
    { wrong = [], inputs = [{ shape: [] }], large, ...more }: Partial<OpSample> = {},
    count = cases.length,
): OpSample[] {
    return cases.slice(0, count).map(({ title, shape, axes, keepDims, large: largeShape }, i) => ({
        op,
        inputs: inputs.map((spec) => ({ ...spec, shape })),
        run: (x) => call(x, axes, keepDims),
        reference: (x) => {
            const list = (axes ?? x.shape.map((_, axis) => axis)).map(
                (axis) => (axis + x.shape.length) % x.shape.length,
            );
            return reduceWith(x, list, f, keepDims);
        },
        large: large ?? [largeShape],
        exactOnViews: false,
        secondOrder: true,
        ...more,
        title: more.title === undefined ? title : `${more.title}, ${title}`,
        wrong: i === 0 ? wrong : [],
    }));
}
