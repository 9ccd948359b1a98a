import { concat, ones, stack } from '../../../lib/index.js';
import { moving } from '../moving_row.js';
import { at, build } from '../nd.js';
import { every } from '../reduction_rows.js';
import type { NdArray, OpSample } from '../sample.js';

const same = (x: NdArray): NdArray => x;

export const joinSamples: readonly OpSample[] = [
    {
        op: 'concat',
        inputs: [{ shape: [2, 3] }, { shape: [2, 1] }, { shape: [2, 2] }],
        run: (...xs) => concat(xs, -1),
        reference: (a, b, c) =>
            build([2, 6], ([i, j]) => (j < 3 ? at(a, [i, j]) : j < 4 ? at(b, [i, 0]) : at(c, [i, j - 4]))),
        dtypes: every,
        secondOrder: true,
        wrong: [
            { call: () => concat([]), message: /\[concat\] takes an array of one or more tensors/ },
            {
                call: () => concat([ones([2, 3]), ones([2, 4])]),
                message: /\[concat\] shapes \[2, 3\] and \[2, 4\] differ beside axis 0/,
            },
            { call: () => concat([ones([])]), message: /\[concat\] 0-d tensors cannot be joined/ },
        ],
    },
    {
        op: 'concat',
        title: 'empty parts',
        inputs: [{ shape: [2, 3] }, { shape: [0, 3] }],
        run: (...xs) => concat([...xs, ones([0], { dtype: xs[0].dtype })], 0),
        reference: (a) => a,
        dtypes: every,
        zeroSizes: [
            [
                [0, 3],
                [0, 3],
            ],
        ],
    },
    {
        op: 'concat',
        title: 'more tensors than one native call takes',
        inputs: [{ shape: [1, 2] }],
        run: (x) => concat(Array.from({ length: 300 }, () => x)),
        reference: (x) => build([300, 2], ([, j]) => x.data[j]),
    },
    {
        op: 'stack',
        inputs: [{ shape: [2, 3] }, { shape: [2, 3] }],
        run: (...xs) => stack(xs, -1),
        reference: (a, b) => build([2, 3, 2], ([i, j, k]) => at(k === 0 ? a : b, [i, j])),
        dtypes: every,
        secondOrder: true,
        wrong: [
            { call: () => stack([ones([2]), ones([3])]), message: /\[stack\] shapes \[2\] and \[3\] differ/ },
        ],
    },
    moving(
        'repeat',
        [2, 3],
        (x) => x.repeat([2, 1, 2]),
        (x) => build([2, 2, 6], ([, i, j]) => at(x, [i, j % 3])),
        {
            wrong: [
                {
                    call: () => ones([2, 3]).repeat([2]),
                    message: /\[repeat\] needs at least 2 counts for shape \[2, 3\], got \[2\]/,
                },
            ],
        },
    ),
    moving(
        'roll',
        [3, 4],
        (x) => x.roll([1, -6], [0, 1]),
        (x) => build([3, 4], ([i, j]) => at(x, [(i + 2) % 3, (j + 2) % 4])),
        {
            wrong: [
                {
                    call: () => ones([2, 3]).roll([1, 2], 0),
                    message: /\[roll\] needs one integer shift per axis/,
                },
            ],
        },
    ),
    moving(
        'roll',
        [3, 4],
        (x) => x.roll(5),
        (x) => build([3, 4], ([i, j]) => x.data[(i * 4 + j + 7) % 12]),
        { title: 'flat' },
    ),
    moving(
        'flip',
        [3, 4],
        (x) => x.flip([0, -1]),
        (x) => build(x.shape, ([i, j]) => at(x, [x.shape[0] - 1 - i, 3 - j])),
        {
            zeroSizes: [[[0, 4]]],
            wrong: [{ call: () => ones([2]).flip(1), message: /\[flip\] axis 1 is outside/ }],
        },
    ),
    moving(
        'pad',
        [2, 3, 4],
        (x) =>
            x.pad(
                [
                    [1, 0],
                    [-1, 2],
                ],
                { value: 3 },
            ),
        (x) => build([2, 4, 5], ([i, j, k]) => (j < 1 || k > 2 ? 3 : at(x, [i, j - 1, k + 1]))),
        {
            dtypes: every.filter((dtype) => dtype !== 'bool'),
            wrong: [
                {
                    call: () =>
                        ones([2]).pad([
                            [1, 1],
                            [0, 0],
                        ]),
                    message: /\[pad\] got 2 pairs for shape \[2\]/,
                },
                {
                    call: () => ones([2]).pad([[-2, -1]]),
                    message: /\[pad\] -2 and -1 cut more than axis 0 of shape \[2\] has/,
                },
            ],
        },
    ),
    moving(
        'pad',
        [2, 5],
        (x) => x.pad([[3, 2]], { mode: 'reflect' }),
        (x) => build([2, 10], ([i, j]) => at(x, [i, [3, 2, 1, 0, 1, 2, 3, 4, 3, 2][j]])),
        {
            title: 'reflect',
            wrong: [
                {
                    call: () => ones([3]).pad([[3, 0]], { mode: 'reflect' }),
                    message: /\[pad\] reflect adds at most 2 elements/,
                },
            ],
        },
    ),
    moving(
        'pad',
        [2, 3],
        (x) =>
            x.pad(
                [
                    [1, 2],
                    [2, 1],
                ],
                { mode: 'replicate' },
            ),
        (x) =>
            build([5, 6], ([i, j]) =>
                at(x, [Math.min(Math.max(i - 1, 0), 1), Math.min(Math.max(j - 2, 0), 2)]),
            ),
        {
            title: 'replicate',
            wrong: [
                {
                    call: () => ones([0]).pad([[1, 0]], { mode: 'replicate' }),
                    message: /\[pad\] replicate adds at most 0/,
                },
            ],
        },
    ),
    moving(
        'pad',
        [2, 3],
        (x) => x.pad([[3, 1]], { mode: 'circular' }),
        (x) => build([2, 7], ([i, j]) => at(x, [i, j % 3])),
        {
            title: 'circular',
        },
    ),
    moving(
        'unfold2d',
        [2, 2, 4, 5],
        (x) => x.unfold2d([2, 3], { stride: [1, 2], padding: [1, 0], dilation: [2, 1] }),
        (x) =>
            build([2, 12, 8], ([n, row, column]) => {
                const [c, ky, kx] = [Math.floor(row / 6), Math.floor((row % 6) / 3), row % 3];
                const [y, xx] = [Math.floor(column / 2) - 1 + 2 * ky, (column % 2) * 2 + kx];
                return y < 0 || y > 3 ? 0 : at(x, [n, c, y, xx]);
            }),
        {
            wrong: [
                {
                    call: () => ones([2, 2]).unfold2d(2),
                    message: /\[unfold2d\] needs images \[N, C, H, W\], got \[2, 2\]/,
                },
            ],
        },
    ),
    moving(
        'contiguous',
        [3, 4],
        (x) => x.transpose().contiguous(),
        (x) => build([4, 3], ([i, j]) => at(x, [j, i])),
    ),
    moving('clone', [3, 4], (x) => x.clone(), same, { zeroSizes: [[[0, 4]]] }),
    moving('cast', [3, 4], (x) => x.to('float64'), same),
];
