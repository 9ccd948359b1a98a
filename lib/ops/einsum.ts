import { shapeText, sizeOf } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { requireTensor } from './convert.js';
import { diagonal } from './diagonal.js';
import { matmul } from './matmul.js';
import { installMethods } from './methods.js';
import { sum } from './reduce.js';
import { expand, permute, reshape } from './shape_ops.js';

/** A dimension: a letter, or a number for one of those that an ellipsis stands for (counted from the right). */
type Label = string;

/** A tensor with a name for each dimension, all different. */
interface Labelled {
    readonly x: Tensor;
    readonly labels: readonly Label[];
}

interface Equation {
    readonly inputs: readonly string[];
    /** Undefined when the equation has no arrow. */
    readonly output: string | undefined;
}

function fail(equation: string, what: string): never {
    throw new RangeError(`[einsum] '${equation}': ${what}`);
}

function parse(equation: string, count: number): Equation {
    const [left = '', output, ...rest] = equation.replaceAll(' ', '').split('->');
    const inputs = left.split(',');
    if (rest.length > 0) fail(equation, 'has more than one arrow');
    if (inputs.length !== count) fail(equation, `has ${inputs.length} operands, got ${count} tensors`);
    for (const term of [...inputs, output ?? '']) {
        if (!/^[a-zA-Z]*(\.\.\.)?[a-zA-Z]*$/.test(term))
            fail(equation, `'${term}' must consist of letters and at most one ellipsis '...'`);
    }
    return { inputs, output };
}

/** Letters of a term, with the ellipsis spelt out as `dimensions` labels. */
function labelsOf(term: string, dimensions: number): Label[] {
    const [before = '', after] = term.split('...');
    if (after === undefined) return Array.from(before);
    const spelt = Array.from({ length: dimensions }, (_, i) => String(dimensions - i));
    return [...Array.from(before), ...spelt, ...Array.from(after)];
}

/** Takes the diagonal where a label stands twice. */
function withoutRepeats(equation: string, x: Tensor, labels: readonly Label[]): Labelled {
    const second = labels.findIndex((label, i) => labels.indexOf(label) < i);
    if (second < 0) return { x, labels };
    const first = labels.indexOf(labels[second] ?? '');
    if (x.shape[first] !== x.shape[second]) {
        fail(equation, `the dimensions named '${labels[second]}' differ in shape ${shapeText(x.shape)}`);
    }
    const rest = labels.filter((_, i) => i !== first && i !== second);
    return withoutRepeats(equation, diagonal(x, 0, first, second), [...rest, labels[second] ?? '']);
}

/** Sums over the dimensions that nothing else names. */
function reduceTo({ x, labels }: Labelled, needed: ReadonlySet<Label>): Labelled {
    const gone = labels.flatMap((label, axis) => (needed.has(label) ? [] : [axis]));
    if (gone.length === 0) return { x, labels };
    return { x: sum(x, gone), labels: labels.filter((label) => needed.has(label)) };
}

/** Reorders dimensions to `wanted`; those that x lacks get size 1. */
function arrange({ x, labels }: Labelled, wanted: readonly Label[]): Tensor {
    const present = wanted.filter((label) => labels.includes(label));
    const y = permute(
        x,
        present.map((label) => labels.indexOf(label)),
    );
    return reshape(
        y,
        wanted.map((label) => (labels.includes(label) ? (y.shape[present.indexOf(label)] ?? 1) : 1)),
    );
}

type Sizes = ReadonlyMap<Label, number>;

function sizesOf(sizes: Sizes, labels: readonly Label[]): number[] {
    return labels.map((label) => sizes.get(label) ?? 1);
}

/** x as [batch, rows, columns], with dimensions of size 1 brought to the size of their label. */
function matrices(
    x: Labelled,
    sizes: Sizes,
    groups: readonly [batch: readonly Label[], rows: readonly Label[], columns: readonly Label[]],
): Tensor {
    const order = groups.flat();
    const full = expand(arrange(x, order), sizesOf(sizes, order));
    return reshape(
        full,
        groups.map((labels) => sizeOf(sizesOf(sizes, labels))),
    );
}

/** One product: dimensions of both that are still needed are the batch, the others of both are summed over. */
function multiply(a: Labelled, b: Labelled, needed: ReadonlySet<Label>, sizes: Sizes): Labelled {
    const both = a.labels.filter((label) => b.labels.includes(label));
    const batch = both.filter((label) => needed.has(label));
    const summed = both.filter((label) => !needed.has(label));
    const ofA = a.labels.filter((label) => !both.includes(label));
    const ofB = b.labels.filter((label) => !both.includes(label));
    const labels = [...batch, ...ofA, ...ofB];
    if (summed.length === 0) return { x: arrange(a, labels).mul(arrange(b, labels)), labels };
    const left = matrices(a, sizes, [batch, ofA, summed]);
    const right = matrices(b, sizes, [batch, summed, ofB]);
    return { x: reshape(matmul(left, right), sizesOf(sizes, labels)), labels };
}

/** The size of every label; sizes that meet are equal, or 1. */
function labelSizes(equation: string, operands: readonly Labelled[]): Map<Label, number> {
    const sizes = new Map<Label, number>();
    for (const { x, labels } of operands) {
        labels.forEach((label, axis) => {
            const [size, known] = [x.shape[axis] ?? 1, sizes.get(label) ?? 1];
            if (size !== known && size !== 1 && known !== 1)
                fail(equation, `dimension '${label}' has sizes ${known} and ${size}`);
            sizes.set(label, known === 1 ? size : known);
        });
    }
    return sizes;
}

/** Without an arrow: the ellipsis, then every letter that stands once, in alphabetical order. */
function implicitOutput(inputs: readonly string[], dimensions: number): Label[] {
    const letters = Array.from(inputs.join('').replaceAll('.', ''));
    const single = letters.filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter));
    return [...labelsOf('...', dimensions), ...single.sort()];
}

function readOperands(equation: string, inputs: readonly string[], tensors: readonly Tensor[]): Labelled[] {
    return inputs.map((term, i) => {
        const x = tensors[i];
        const letters = term.replace('...', '').length;
        if (term.includes('...') ? x.rank < letters : x.rank !== letters)
            fail(equation, `'${term}' does not fit shape ${shapeText(x.shape)}`);
        return withoutRepeats(equation, x, labelsOf(term, x.rank - letters));
    });
}

/**
 * Sums of products in Einstein's notation: one letter per dimension, operands separated by commas, `->` before the result's
 * letters. Letters that the result lacks are summed over; an ellipsis stands for leading dimensions that broadcast; a letter
 * that stands twice in one operand takes the diagonal. Without an arrow, the result has the letters that stand once, in
 * alphabetical order. Operands are multiplied from left to right, as matrix products.
 *
 * @throws RangeError when the equation and the shapes do not fit.
 * @example
 * import { einsum, ones } from 'nativegrad';
 * console.log(einsum('bij,bjk->bik', ones([2, 3, 4]), ones([2, 4, 5])).shape); // [2, 3, 5]
 */
export function einsum(equation: string, ...tensors: Tensor[]): Tensor {
    tensors.forEach((x: unknown, i) => {
        requireTensor('einsum', x, `operand ${i}`);
    });
    if (tensors.length === 0) throw new TypeError('[einsum] takes an equation and one or more tensors');
    const { inputs, output } = parse(equation, tensors.length);
    const spans = inputs.map((term, i) =>
        term.includes('...') ? (tensors[i]?.rank ?? 0) - term.length + 3 : 0,
    );
    const dimensions = Math.max(0, ...spans);
    const operands = readOperands(equation, inputs, tensors);
    const wanted = output === undefined ? implicitOutput(inputs, dimensions) : labelsOf(output, dimensions);
    const sizes = labelSizes(equation, operands);
    if (new Set(wanted).size !== wanted.length) fail(equation, 'the result names a dimension twice');
    const unknown = wanted.find((label) => !sizes.has(label));
    if (unknown !== undefined) fail(equation, `no operand has the dimension '${unknown}' of the result`);

    // What the result and the operands from i on still need.
    const neededFrom = (i: number): Set<Label> =>
        new Set([...wanted, ...operands.slice(i).flatMap(({ labels }) => labels)]);
    const othersThan = (i: number): Set<Label> =>
        new Set([...wanted, ...operands.flatMap(({ labels }, k) => (k === i ? [] : labels))]);
    const reduced = operands.map((operand, i) => reduceTo(operand, othersThan(i)));
    const result = reduced
        .slice(1)
        .reduce<Labelled>(
            (left, right, i) => reduceTo(multiply(left, right, neededFrom(i + 2), sizes), neededFrom(i + 2)),
            reduced[0],
        );
    return arrange(reduceTo(result, new Set(wanted)), wanted);
}

/** Products of every element of a vector with every element of another: a [M], b [N] -> [M, N]. */
export function outer(a: Tensor, b: Tensor): Tensor {
    requireTensor('outer', a, 'the first operand');
    requireTensor('outer', b, 'the second operand');
    if (a.rank !== 1 || b.rank !== 1)
        throw new RangeError(
            `[outer] needs two vectors, got ${shapeText(a.shape)} and ${shapeText(b.shape)}`,
        );
    return reshape(a, [a.size, 1]).mul(b);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        outer(other: Tensor): Tensor;
    }
}

installMethods({ outer });
