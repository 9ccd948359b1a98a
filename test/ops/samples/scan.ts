import { ones } from '../../../lib/index.js';
import { mapRows } from '../nd.js';
import { every, total } from '../reduction_rows.js';
import type { OpSample } from '../sample.js';

export const scanSamples: readonly OpSample[] = [
    ...[0, 1, -1].map((axis): OpSample => ({
        op: 'cumsum',
        title: `axis ${axis}`,
        inputs: [{ shape: [3, 5, 4] }],
        run: (x) => x.cumsum(axis),
        reference: (x) => mapRows(x, (axis + 3) % 3, (row) => row.map((_, i) => total(row.slice(0, i + 1)))),
        dtypes: every,
        large: [[30, 40, 50]],
        secondOrder: true,
        tolerance: { relative: 1e-5, reason: 'terms that cancel' },
        zeroSizes: axis === 1 ? [[[0, 2, 3]], [[2, 0, 3]]] : [],
        wrong: [{ call: () => ones([2]).cumsum(1), message: /\[cumsum\] axis 1 is outside/ }],
    })),
];
