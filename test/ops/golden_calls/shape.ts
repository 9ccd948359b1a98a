import * as ng from '../../../lib/index.js';
import type { Padding } from '../../../lib/index.js';
import { tensorAt, type GoldenCalls, type GoldenOperand } from './call.js';

const tensors = (operands: readonly GoldenOperand[]): ng.Tensor[] =>
    operands.map((_, index) => tensorAt(operands, index));

type Pair = [number, number];

export const shapeCalls: GoldenCalls = {
    concat: (operands, { axis }) => ng.concat(tensors(operands), axis as number),
    stack: (operands, { axis }) => ng.stack(tensors(operands), axis as number),
    split: ([x], { size, axis }) => ng.split(tensorAt([x], 0), size as number | number[], axis as number),
    chunk: ([x], { chunks, axis }) => ng.chunk(tensorAt([x], 0), chunks as number, axis as number),
    pad: ([x], { padding, value }) =>
        ng.pad(tensorAt([x], 0), padding as Padding[], { value: Number(value ?? 0) }),
    repeat: ([x], { repeats }) => ng.repeat(tensorAt([x], 0), repeats as number[]),
    roll: ([x], { shifts, axes }) =>
        ng.roll(tensorAt([x], 0), shifts as number | number[], axes as number | number[] | undefined),
    flip: ([x], { axes }) => ng.flip(tensorAt([x], 0), axes as number[]),
    tril: ([x], { diagonal }) => ng.tril(tensorAt([x], 0), diagonal as number),
    triu: ([x], { diagonal }) => ng.triu(tensorAt([x], 0), diagonal as number),
    diag: ([x], { diagonal }) => ng.diag(tensorAt([x], 0), diagonal as number),
    unfold: ([x], { kernelSize, stride, padding, dilation }) =>
        ng.unfold2d(tensorAt([x], 0), kernelSize as number | Pair, {
            stride: stride as Pair | undefined,
            padding: padding as Pair | undefined,
            dilation: dilation as Pair | undefined,
        }),
    outer: ([a, b]) => ng.outer(tensorAt([a], 0), tensorAt([b], 0)),
    einsum: (operands, { equation }) => ng.einsum(equation as string, ...tensors(operands)),
};

export const indexCalls: GoldenCalls = {
    gather: ([x, index], { axis }) => ng.gather(tensorAt([x], 0), axis as number, tensorAt([index], 0)),
    scatter_add: ([x, index, source], { axis }) =>
        ng.scatterAdd(tensorAt([x], 0), axis as number, tensorAt([index], 0), tensorAt([source], 0)),
    index_select: ([x, index], { axis }) =>
        ng.indexSelect(tensorAt([x], 0), axis as number, tensorAt([index], 0)),
    take: ([x, index]) => ng.take(tensorAt([x], 0), tensorAt([index], 0)),
    nonzero: ([x]) => ng.nonzero(tensorAt([x], 0)),
    embedding: ([index, weight], { paddingIdx }) =>
        ng.embedding(tensorAt([index], 0), tensorAt([weight], 0), paddingIdx as number | undefined),
    one_hot: ([index], { classes }) => ng.oneHot(tensorAt([index], 0), classes as number),
    sort: ([x], { axis, descending }) =>
        ng.sort(tensorAt([x], 0), axis as number | undefined, descending === true),
    topk: ([x], { k, axis, largest }) =>
        ng.topk(tensorAt([x], 0), k as number, axis as number | undefined, largest !== false),
};
