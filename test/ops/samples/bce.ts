import { nn } from '../../../lib/index.js';
import type { OpSample } from '../sample.js';

export const bceSamples: readonly OpSample[] = [
    {
        op: 'bce_loss',
        inputs: [
            { shape: [3, 4], values: 'unit' },
            { shape: [3, 4], values: 'unit' },
        ],
        run: (p, y) => nn.bceLoss(p, y, { reduction: 'none' }),
        reference: (p, y) => ({
            shape: p.shape,
            data: p.data.map(
                (value, i) => -y.data[i] * Math.log(value) - (1 - y.data[i]) * Math.log(1 - value),
            ),
        }),
        secondOrder: true,
    },
];
