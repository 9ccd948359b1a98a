import { isFloat } from '../tensor/dtype.js';
import { requireTensor } from '../tensor/require_tensor.js';
import { shapeText, type Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';

/** @internal What the inputs of an attention layer hold. */
export interface AttentionSizes {
    readonly isBatched: boolean;
    /** 1 without a batch. */
    readonly batch: number;
    readonly queries: number;
    readonly keys: number;
}

interface Widths {
    readonly embedDim: number;
    readonly kdim: number;
    readonly vdim: number;
    readonly batchFirst: boolean;
}

type Refuse = (expected: string, got: Shape, hint: string) => RangeError;

/** @internal The sizes of a call, or an error about the first input that does not fit. */
export function checkAttention(
    { embedDim, kdim, vdim, batchFirst }: Widths,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    refuse: Refuse,
): AttentionSizes {
    const order = batchFirst ? 'N, L' : 'L, N';
    const inputs = [
        { name: 'query', x: query, width: embedDim, why: 'its last size is embedDim' },
        { name: 'key', x: key, width: kdim, why: 'its last size is kdim' },
        { name: 'value', x: value, width: vdim, why: 'its last size is vdim' },
    ];
    for (const { name, x, width, why } of inputs) {
        requireTensor('MultiheadAttention', x, `the ${name}`);
        if ((x.rank !== 2 && x.rank !== 3) || x.shape[x.rank - 1] !== width)
            throw refuse(`a ${name} [${order}, ${width}] or [L, ${width}]`, x.shape, why);
        if (x.rank !== query.rank)
            throw refuse(
                `a ${name} of as many dimensions as the query ${shapeText(query.shape)}`,
                x.shape,
                '',
            );
    }
    const isBatched = query.rank === 3;
    const [batchAxis, lengthAxis] = !isBatched ? [-1, 0] : batchFirst ? [0, 1] : [1, 0];
    const batch = (x: Tensor): number => x.shape[batchAxis] ?? 1;
    const length = (x: Tensor): number => x.shape[lengthAxis] ?? 0;
    if (batch(key) !== batch(query) || batch(value) !== batch(query)) {
        const other = batch(key) === batch(query) ? value : key;
        throw refuse(
            `a batch of ${batch(query)} as the query ${shapeText(query.shape)} has`,
            other.shape,
            batchHint(batchFirst),
        );
    }
    if (length(key) !== length(value))
        throw refuse(`as many values as keys ${shapeText(key.shape)}`, value.shape, batchHint(batchFirst));
    return { isBatched, batch: batch(query), queries: length(query), keys: length(key) };
}

function batchHint(batchFirst: boolean): string {
    return `inputs are ${batchFirst ? '[batch, length, size]' : '[length, batch, size]; with batchFirst: true [batch, length, size]'}`;
}

/** @internal What is wrong with a mask, for its error. */
export function maskProblem(mask: Tensor, { queries, keys }: AttentionSizes): string {
    if (mask.dtype !== 'bool' && !isFloat(mask.dtype))
        return `it must be bool (true is left out) or float (added), got ${mask.dtype}`;
    return `there are ${queries} queries and ${keys} keys`;
}
