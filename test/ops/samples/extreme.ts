import { zeros } from '../../../lib/index.js';
import { reduceWith } from '../nd.js';
import { every, rowsOf } from '../reduction_rows.js';
import type { OpSample } from '../sample.js';

const extremeWrong = (name: 'max' | 'min' | 'argmax' | 'argmin'): OpSample['wrong'] => [
    {
        call: () => zeros([0, 3])[name](0),
        message: new RegExp(
            `\\[${name}\\] has nothing to choose from along axes \\[0\\] of shape \\[0, 3\\]`,
        ),
    },
    { call: () => zeros([2])[name](1), message: new RegExp(`\\[${name}\\] axis 1 is outside`) },
];

const extremeInput: OpSample['inputs'] = [{ shape: [], values: 'distinct' }];
const extremeDtypes = every.filter((dtype) => dtype !== 'bool');

export const extremeSamples: readonly OpSample[] = [
    ...rowsOf(
        'max',
        (x, axes, keepDims) => x.max(axes, keepDims),
        (values) => Math.max(...values),
        {
            inputs: extremeInput,
            dtypes: extremeDtypes,
            wrong: extremeWrong('max'),
            large: [],
        },
    ),
    ...rowsOf(
        'min',
        (x, axes, keepDims) => x.min(axes, keepDims),
        (values) => Math.min(...values),
        {
            inputs: extremeInput,
            dtypes: extremeDtypes,
            wrong: extremeWrong('min'),
            large: [],
        },
    ),
    ...(['argmax', 'argmin'] as const).flatMap((op) =>
        [0, 1, -1].map((axis): OpSample => ({
            op,
            title: `axis ${axis}`,
            inputs: [{ shape: [5, 4, 3] }],
            run: (x) => x[op](axis),
            reference: (x) =>
                reduceWith(x, [(axis + 3) % 3], (values) =>
                    values.indexOf(op === 'argmax' ? Math.max(...values) : Math.min(...values)),
                ),
            dtypes: every,
            gradient: false,
            large: [axis === -1 ? [3, 5, 3000] : [70, 200, 3]],
            wrong: axis === 0 ? extremeWrong(op) : [],
        })),
    ),
    {
        op: 'argmax',
        title: 'down a few short columns',
        inputs: [{ shape: [301, 3], values: 'distinct' }],
        run: (x) => x.argmax(0),
        reference: (x) => reduceWith(x, [0], (values) => values.indexOf(Math.max(...values))),
        dtypes: ['float32', 'float64'],
        gradient: false,
    },
    {
        op: 'argmax',
        title: 'of everything, with ties',
        inputs: [{ shape: [3, 3], values: [1, 4, 2, 4, 0, 4, 3, 1, 2] }],
        run: (x) => x.argmax(),
        reference: (x) => reduceWith(x, [0, 1], (values) => values.indexOf(Math.max(...values))),
        gradient: false,
        large: [[201, 199]],
    },
    ...(['max', 'min'] as const).flatMap((name) =>
        [true, false].map((keepDims): OpSample => ({
            op: `${name}_with_indices`,
            title: keepDims ? 'kept' : 'dropped',
            inputs: [{ shape: [4, 3], values: 'distinct' }],
            run: (x) => (name === 'max' ? x.maxWithIndices(0, keepDims) : x.minWithIndices(0, keepDims)),
            reference: (x) => reduceWith(x, [0], (values) => Math[name](...values), keepDims),
            secondOrder: true,
        })),
    ),
];
