import type { Tensor } from '../../../lib/index.js';
import type { GoldenOptions } from '../../support/golden.js';

/** An operand of a row of ops.json: a tensor, a number, or null where it is left out. */
export type GoldenOperand = Tensor | number | null;

/** How the library is called for one op of ops.json. */
export type GoldenCall = (
    operands: readonly GoldenOperand[],
    options: GoldenOptions,
) => Tensor | readonly Tensor[];

export type GoldenCalls = Readonly<Record<string, GoldenCall>>;

/** The operand as a tensor; the row is wrong where it is none. */
export function tensorAt(operands: readonly GoldenOperand[], index: number): Tensor {
    const operand = operands[index];
    if (operand === null || operand === undefined || typeof operand === 'number') {
        throw new Error(`operand ${index} is not a tensor`);
    }
    return operand;
}

/** The operand as a tensor, or undefined where it is left out. */
export function optionalAt(operands: readonly GoldenOperand[], index: number): Tensor | undefined {
    return operands[index] === null || operands[index] === undefined ? undefined : tensorAt(operands, index);
}

export const unary =
    (call: (x: Tensor) => Tensor): GoldenCall =>
    (operands) =>
        call(tensorAt(operands, 0));

export const binary =
    (call: (a: Tensor | number, b: Tensor | number) => Tensor): GoldenCall =>
    ([a, b]) => {
        if (a === null || b === null) throw new Error('an operand is missing');
        return call(a, b);
    };

/** Axes and keepDims of a reduction; a left-out `axes` means all. */
export const reduction =
    (call: (x: Tensor, axes: number[] | undefined, keepDims: boolean) => Tensor): GoldenCall =>
    (operands, { axes, keepdims }) =>
        call(tensorAt(operands, 0), axes as number[] | undefined, keepdims === true);

/** A number of the options, where infinities are words. */
export function numberOption(value: unknown): number | undefined {
    return value === undefined ? undefined : Number(value);
}
