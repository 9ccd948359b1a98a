import { broadcastTo, chunk, ones, split, swapAxes, unbind } from '../../../lib/index.js';
import { moving } from '../moving_row.js';
import { at, build } from '../nd.js';
import type { NdArray, OpSample } from '../sample.js';

const reshaped =
    (...shape: number[]) =>
    (x: NdArray): NdArray => ({ shape, data: x.data });

export const viewSamples: readonly OpSample[] = [
    moving('reshape', [3, 4], (x) => x.reshape([2, -1]), reshaped(2, 6), {
        wrong: [
            {
                call: () => ones([2, 3]).reshape([4, -1]),
                message: /\[reshape\] cannot bring 6 elements of shape \[2, 3\] into \[4, -1\]/,
            },
        ],
    }),
    moving('flatten', [2, 3, 4], (x) => x.flatten(1), reshaped(2, 12), {
        wrong: [{ call: () => ones([2, 3]).flatten(1, 0), message: /\[flatten\] start 1 lies behind end 0/ }],
    }),
    moving(
        'permute',
        [2, 3, 4],
        (x) => x.permute([2, 0, -2]),
        (x) => build([4, 2, 3], ([i, j, k]) => at(x, [j, k, i])),
        {
            wrong: [
                {
                    call: () => ones([2, 3]).permute([0, 0]),
                    message: /\[permute\] axes \[0, 0\] must name each of 2/,
                },
            ],
        },
    ),
    moving(
        'transpose',
        [2, 3, 4],
        (x) => x.transpose(0, -1),
        (x) => build([4, 3, 2], ([i, j, k]) => at(x, [k, j, i])),
    ),
    moving(
        'swap_axes',
        [2, 3],
        (x) => swapAxes(x, 0, 1),
        (x) => build([3, 2], ([i, j]) => at(x, [j, i])),
    ),
    moving(
        'movedim',
        [2, 3, 4],
        (x) => x.movedim([0, 1], [-1, 0]),
        (x) => build([3, 4, 2], ([i, j, k]) => at(x, [k, i, j])),
        {
            wrong: [
                {
                    call: () => ones([2, 3]).movedim([0, 0], [0, 1]),
                    message: /\[movedim\] needs as many different targets/,
                },
            ],
        },
    ),
    moving('squeeze', [2, 1, 3, 1], (x) => x.squeeze(), reshaped(2, 3)),
    moving('squeeze', [2, 1, 3, 1], (x) => x.squeeze(-1), reshaped(2, 1, 3), { title: 'one axis' }),
    moving('unsqueeze', [2, 3], (x) => x.unsqueeze(-1), reshaped(2, 3, 1), {
        wrong: [{ call: () => ones([2]).unsqueeze(3), message: /\[unsqueeze\] axis 3 is outside/ }],
    }),
    moving(
        'expand',
        [3, 1],
        (x) => x.expand([2, -1, 4]),
        (x) => build([2, 3, 4], ([, j]) => x.data[j]),
        {
            wrong: [
                {
                    call: () => ones([2, 3]).expand([2, 4]),
                    message: /\[expand\] shape \[2, 3\] does not expand to \[2, 4\]/,
                },
            ],
        },
    ),
    moving(
        'broadcast_to',
        [3, 1],
        (x) => broadcastTo(x, [2, 3, 4]),
        (x) => build([2, 3, 4], ([, j]) => x.data[j]),
    ),
    moving(
        'slice',
        [3, 7],
        (x) => x.slice(1, 1, -1, 2),
        (x) => build([3, 3], ([i, j]) => at(x, [i, 1 + 2 * j])),
        {
            covers: ['slice_scatter'],
            wrong: [
                {
                    call: () => ones([2]).slice(0, 0, 1, 0),
                    message: /\[slice\] step must be a positive integer, got 0/,
                },
            ],
        },
    ),
    moving(
        'narrow',
        [3, 7],
        (x) => x.narrow(1, -4, 3),
        (x) => build([3, 3], ([i, j]) => at(x, [i, 3 + j])),
        {
            wrong: [
                {
                    call: () => ones([2, 3]).narrow(1, 1, 3),
                    message: /\[narrow\] 3 elements from 1 leave axis 1 of shape \[2, 3\]/,
                },
            ],
        },
    ),
    moving(
        'select',
        [3, 4],
        (x) => x.select(0, -1),
        (x) => build([4], ([j]) => at(x, [2, j])),
        {
            wrong: [
                { call: () => ones([2]).select(0, 2), message: /\[select\] index 2 is outside \[-2, 1\]/ },
            ],
        },
    ),
    moving(
        'split',
        [7, 2],
        (x) => split(x, [2, 4, 1])[1],
        (x) => build([4, 2], ([i, j]) => at(x, [i + 2, j])),
        {
            wrong: [
                {
                    call: () => ones([4]).split([1, 2]),
                    message: /\[split\] sizes \[1, 2\] do not add up to the 4 elements/,
                },
                {
                    call: () => ones([4]).split(0),
                    message: /\[split\] the size must be a positive integer, got 0/,
                },
            ],
        },
    ),
    moving(
        'unbind',
        [2, 3, 4],
        (x) => unbind(x, 1),
        (x) => build([2, 4], ([i, j]) => at(x, [i, 0, j])),
        { wrong: [{ call: () => unbind(ones([])), message: /\[unbind\] a 0-d tensor has no dimension/ }] },
    ),
    moving(
        'unbind',
        [2, 3],
        (x) => unbind(x, -1)[2],
        (x) => build([2], ([i]) => at(x, [i, 2])),
        { title: 'with one slice used' },
    ),
    moving(
        'chunk',
        [2, 7],
        (x) => chunk(x, 3, 1)[2],
        (x) => build([2, 1], ([i]) => at(x, [i, 6])),
        {
            wrong: [
                {
                    call: () => ones([4]).chunk(0),
                    message: /\[chunk\] the count must be a positive integer, got 0/,
                },
            ],
        },
    ),
    moving(
        'unfold',
        [2, 7],
        (x) => x.unfold(1, 3, 2),
        (x) => build([2, 3, 3], ([i, j, k]) => at(x, [i, 2 * j + k])),
        {
            wrong: [
                {
                    call: () => ones([2]).unfold(0, 3),
                    message: /\[unfold\] a window of 3 does not fit into axis 0 of shape \[2\]/,
                },
                {
                    call: () => ones([2]).unfold(0, 0),
                    message: /\[unfold\] size, step and dilation must be positive/,
                },
            ],
        },
    ),
    moving(
        'diagonal',
        [3, 2, 4],
        (x) => x.diagonal(-1, 0, 2),
        (x) => build([2, 2], ([i, j]) => at(x, [j + 1, i, j])),
        {
            covers: ['diagonal_scatter'],
            wrong: [
                {
                    call: () => ones([2, 2]).diagonal(0, 1, -1),
                    message: /\[diagonal\] needs two axes, got 1 and -1/,
                },
            ],
        },
    ),
    moving(
        'diag',
        [4],
        (x) => x.diag(-1),
        (x) => build([5, 5], ([i, j]) => (i === j + 1 ? x.data[j] : 0)),
    ),
    moving(
        'diag',
        [3, 4],
        (x) => x.diag(1),
        (x) => build([3], ([i]) => at(x, [i, i + 1])),
        {
            title: 'of a matrix',
            wrong: [
                {
                    call: () => ones([2, 2, 2]).diag(),
                    message: /\[diag\] takes a vector or a matrix, got shape \[2, 2, 2\]/,
                },
            ],
        },
    ),
    moving(
        'tril',
        [2, 3, 4],
        (x) => x.tril(1),
        (x) => build(x.shape, (p) => (p[2] - p[1] <= 1 ? at(x, p) : 0)),
        {
            zeroSizes: [[[2, 0, 4]]],
            wrong: [{ call: () => ones([2]).tril(), message: /\[tril\] needs a matrix.*\[2\]/ }],
        },
    ),
    moving(
        'triu',
        [2, 3, 4],
        (x) => x.triu(-1),
        (x) => build(x.shape, (p) => (p[2] - p[1] >= -1 ? at(x, p) : 0)),
        {
            zeroSizes: [[[2, 3, 0]]],
            wrong: [{ call: () => ones([2]).triu(), message: /\[triu\] needs a matrix.*\[2\]/ }],
        },
    ),
];
