import { ones, zeros } from '../../../lib/index.js';
import { reduceWith } from '../nd.js';
import { rowsOf, total } from '../reduction_rows.js';
import type { OpSample } from '../sample.js';

const normOf =
    (order: number) =>
    (values: readonly number[]): number => {
        const sizes = values.map(Math.abs);
        if (order === Infinity) return Math.max(...sizes);
        if (order === -Infinity) return Math.min(...sizes);
        return total(sizes.map((size) => size ** order)) ** (1 / order);
    };

/** 60 numbers of both signs whose magnitudes all differ. */
const magnitudes = Array.from({ length: 60 }, (_, i) => ((((i * 37) % 60) + 1) / 8) * (i % 2 === 0 ? 1 : -1));

export const normSamples: readonly OpSample[] = [
    ...[1, 2, 3, 0.5, Infinity, -Infinity].flatMap((order) =>
        rowsOf(
            'norm',
            (x, axes, keepDims) => x.norm(order, axes, keepDims),
            normOf(order),
            {
                title: `order ${order}`,
                inputs: [{ shape: [], values: magnitudes }],
                large: Number.isFinite(order) ? undefined : [],
                tolerance: { relative: 1e-5, reason: 'powers and their roots' },
                ...(order === 2
                    ? {
                          wrong: [
                              {
                                  call: () => ones([2], { dtype: 'int64' }).norm(),
                                  message: /\[norm\] needs a float dtype/,
                              },
                              {
                                  call: () => ones([2]).norm(NaN),
                                  message: /\[norm\] the order must be a number, got NaN/,
                              },
                              {
                                  call: () => zeros([0]).norm(Infinity),
                                  message: /\[norm\] order Infinity has no value over nothing/,
                              },
                          ],
                      }
                    : {}),
            },
            order === 2 ? undefined : 2,
        ),
    ),
    {
        op: 'norm',
        title: 'order 0',
        inputs: [{ shape: [3, 4], values: [0, 1, -2] }],
        run: (x) => x.norm(0, 1),
        reference: (x) => reduceWith(x, [1], (values) => values.filter((v) => v !== 0).length),
        gradient: false,
    },
];
