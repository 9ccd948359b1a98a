import { ones } from '../../../lib/index.js';
import { rowsOf, spread } from '../reduction_rows.js';
import type { OpSample } from '../sample.js';

export const statisticsSamples: readonly OpSample[] = [
    ...[0, 1].flatMap((correction) => [
        ...rowsOf(
            'variance',
            (x, axes, keepDims) => x.var(axes, keepDims, correction),
            (values) => spread(values, correction),
            {
                title: `correction ${correction}`,
                covers: ['var'],
                tolerance: { relative: 1e-5, reason: 'squares of rounded differences' },
                wrong: [
                    {
                        call: () => ones([2], { dtype: 'int32' }).var(),
                        message: /\[var\] needs a float dtype.*int32/,
                    },
                    {
                        call: () => ones([2]).var(0, false, NaN),
                        message: /\[var\] the correction must be a finite number/,
                    },
                ],
            },
            correction === 1 ? undefined : 1,
        ),
        ...rowsOf(
            'std',
            (x, axes, keepDims) => x.std(axes, keepDims, correction),
            (values) => Math.sqrt(spread(values, correction)),
            {
                title: `correction ${correction}`,
                tolerance: { relative: 1e-5, reason: 'squares of rounded differences' },
            },
            correction === 1 ? undefined : 1,
        ),
    ]),
];
