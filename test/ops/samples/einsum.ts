import { einsum, ones } from '../../../lib/index.js';
import { at, build } from '../nd.js';
import type { NdArray, OpSample } from '../sample.js';

/** The sum over every place of the letters, by its definition; an ellipsis is spelt out by the row. */
function naive(equation: string, operands: readonly NdArray[]): NdArray {
    const [left, output] = equation.split('->');
    const terms = left.split(',').map((term) => Array.from(term));
    const sizes = new Map<string, number>();
    terms.forEach((term, i) => {
        term.forEach((letter, axis) => {
            const known = sizes.get(letter) ?? 1;
            sizes.set(letter, known === 1 ? operands[i].shape[axis] : known);
        });
    });
    const letters = Array.from(output);
    const summed = [...sizes.keys()].filter((letter) => !letters.includes(letter));
    const inner = build(
        summed.map((letter) => sizes.get(letter) ?? 1),
        () => 0,
    );
    return build(
        letters.map((letter) => sizes.get(letter) ?? 1),
        (place) => {
            const where = new Map(letters.map((letter, i) => [letter, place[i]]));
            let total = 0;
            build(inner.shape, (rest) => {
                summed.forEach((letter, i) => where.set(letter, rest[i]));
                total += terms.reduce((product, term, i) => {
                    const spot = term.map((letter, axis) =>
                        operands[i].shape[axis] === 1 ? 0 : (where.get(letter) ?? 0),
                    );
                    return product * at(operands[i], spot);
                }, 1);
                return 0;
            });
            return total;
        },
    );
}

function row(
    equation: string,
    spelt: string,
    shapes: readonly (readonly number[])[],
    more: Partial<OpSample> = {},
): OpSample {
    return {
        op: 'einsum',
        title: equation,
        inputs: shapes.map((shape) => ({ shape })),
        run: (...xs) => einsum(equation, ...xs),
        reference: (...xs) => naive(spelt, xs),
        secondOrder: true,
        exactOnViews: false,
        tolerance: { relative: 1e-5, reason: 'terms that cancel' },
        ...more,
    };
}

export const einsumSamples: readonly OpSample[] = [
    row(
        'ij,jk->ik',
        'ij,jk->ik',
        [
            [3, 4],
            [4, 2],
        ],
        {
            zeroSizes: [
                [
                    [0, 4],
                    [4, 2],
                ],
                [
                    [3, 0],
                    [0, 2],
                ],
            ],
            wrong: [
                {
                    call: () => einsum('ij,jk', ones([2, 3])),
                    message: /\[einsum\] 'ij,jk': has 2 operands, got 1 tensors/,
                },
                {
                    call: () => einsum('ij->i', ones([2])),
                    message: /\[einsum\] 'ij->i': 'ij' does not fit shape \[2\]/,
                },
                {
                    call: () => einsum('i,i', ones([2]), ones([3])),
                    message: /\[einsum\] 'i,i': dimension 'i' has sizes 2 and 3/,
                },
                {
                    call: () => einsum('i->ij', ones([2])),
                    message: /no operand has the dimension 'j' of the result/,
                },
                { call: () => einsum('i->ii', ones([2])), message: /the result names a dimension twice/ },
                {
                    call: () => einsum('ii', ones([2, 3])),
                    message: /the dimensions named 'i' differ in shape \[2, 3\]/,
                },
                { call: () => einsum('i$', ones([2])), message: /'i\$' must consist of letters/ },
            ],
        },
    ),
    row('b...ik,k...->...bi', 'bxik,kx->xbi', [
        [2, 3, 4, 5],
        [5, 3],
    ]),
    row('...ij,...j', 'xij,xj->xi', [
        [1, 3, 4],
        [2, 4],
    ]),
    row('iji->j', 'iji->j', [[3, 2, 3]]),
    row('ij,ij->ij', 'ij,ij->ij', [
        [3, 4],
        [3, 4],
    ]),
    row('ij,ij,kj->ik', 'ij,ij,kj->ik', [], {
        inputs: [
            { shape: [3, 4], values: 'positive' },
            { shape: [3, 4], values: 'positive' },
            { shape: [2, 4], values: 'positive' },
        ],
    }),
    row('i,j->ji', 'i,j->ji', [[3], [2]]),
    row('ab,c->', 'ab,c->', [[3, 2], [4]]),
    row('ba', 'ba->ab', [[3, 2]]),
    {
        op: 'outer',
        inputs: [{ shape: [3] }, { shape: [4] }],
        run: (a, b) => a.outer(b),
        reference: (a, b) => build([3, 4], ([i, j]) => a.data[i] * b.data[j]),
        secondOrder: true,
        wrong: [
            {
                call: () => ones([2]).outer(ones([2, 2])),
                message: /\[outer\] needs two vectors, got \[2\] and \[2, 2\]/,
            },
        ],
    },
];
