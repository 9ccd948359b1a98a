import { defineOp } from '../autograd/define_op.js';
import { category, type DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { beside, floatDtype, requireTensor, resultDtype } from './convert.js';
import { binaryKernel, type Operand } from './kernels.js';

/** Which operands are numbers; the others are the op's tensors. */
interface Sides {
    readonly left: number | null;
    readonly right: number | null;
}

const bothTensors: Sides = { left: null, right: null };

/** Gradients of both operands; `needs` says which are wanted. */
export type BinaryGradients = (
    dy: Tensor,
    a: Operand,
    b: Operand,
    needs: readonly [boolean, boolean],
) => readonly [Tensor | null, Tensor | null];

export interface BinaryRule {
    /** 'float': integers are computed in float32. 'number': not defined for bool. Default: the promoted dtype. */
    readonly domain?: 'float' | 'number';
    /** Whether backward reads the operands. */
    readonly saves: boolean;
    readonly gradients: BinaryGradients;
    /** Further checks of the operands; `op` is the name for errors. */
    check?(op: string, a: Operand, b: Operand, dtype: DType): void;
    /** A shorter way to the same result for some operands; null for the others. */
    shortcut?(a: Operand, b: Operand, dtype: DType): Tensor | null;
}

/** The dtype of the result by PyTorch's promotion, after the rule's checks. */
export function binaryDtype(
    name: string,
    rule: Pick<BinaryRule, 'domain' | 'check'>,
    a: Operand,
    b: Operand,
): DType {
    const dtype = resultDtype(a, b);
    if (rule.domain === 'number' && category(dtype) === 0)
        throw new TypeError(`[${name}] is not defined for bool; cast with x.to('int32')`);
    rule.check?.(name, a, b, dtype);
    return rule.domain === 'float' ? floatDtype(dtype) : dtype;
}

export function checkOperands(name: string, a: unknown, b: unknown): void {
    if (typeof a !== 'number') requireTensor(name, a, 'the first operand');
    if (typeof b !== 'number') requireTensor(name, b, 'the second operand');
}

/** A recorded elementwise op of two operands, tensors or numbers, that broadcast. */
export function defineBinary(name: string, rule: BinaryRule): (a: Operand, b: Operand) => Tensor {
    // Elements by their places: taking an array apart asks its iterator, which costs as much as a small kernel.
    const leftOf = (tensors: readonly Tensor[], { left }: Sides): Operand => left ?? tensors[0];
    const rightOf = (tensors: readonly Tensor[], { left, right }: Sides): Operand =>
        right ?? tensors[left === null ? 1 : 0];
    const op = defineOp<readonly Tensor[], Sides>({
        name,
        // a, b broadcast -> y [...]
        forward: (context, inputs, sides) => {
            const a = leftOf(inputs, sides);
            const b = rightOf(inputs, sides);
            if (rule.saves) context.save(...inputs);
            const dtype = binaryDtype(name, rule, a, b);
            return rule.shortcut?.(a, b, dtype) ?? binaryKernel(name, a, b, dtype);
        },
        backward: (dy, { saved, options, needs }) => {
            const { left, right } = options;
            const a = rule.saves ? leftOf(saved, options) : (left ?? dy);
            const b = rule.saves ? rightOf(saved, options) : (right ?? dy);
            const wanted = [left === null && needs[0], right === null && needs.at(-1) === true] as const;
            const [da, db] = rule.gradients(dy, a, b, wanted);
            if (right !== null) return left === null ? [da] : [];
            return left === null ? [da, db] : [db];
        },
        differentiable: true,
    });
    return (a, b) => {
        checkOperands(name, a, b);
        if (typeof a === 'number') {
            return typeof b === 'number' ? op([], { left: a, right: b }) : op([b], { left: a, right: null });
        }
        if (typeof b === 'number') return op([a], { left: null, right: b });
        if (a.deviceCode === b.deviceCode) return op([a, b], bothTensors);
        return op([beside(a, b), beside(b, a)] as readonly Tensor[], bothTensors);
    };
}
