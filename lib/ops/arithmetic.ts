import { defineOp } from '../autograd/define_op.js';
import type { DType } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import { cast, floatDtype, requireTensor, resultDtype } from './convert.js';
import { binaryKernel, type Operand } from './kernels.js';
import { installMethods } from './methods.js';

/** Checks both sides and computes in the promoted dtype. */
function binary(name: string, a: Operand, b: Operand, float = false): Tensor {
    const dtype = resultDtype(a, b);
    if (name === 'sub' && dtype === 'bool') {
        throw new TypeError("[sub] is not defined for bool; use logicalXor, or cast with x.to('int32')");
    }
    return binaryKernel(name, a, b, float ? floatDtype(dtype) : dtype);
}

/** Splits operands into tensors for the tape and numbers for the options. */
interface Sides {
    readonly left: number | null;
    readonly right: number | null;
}

type BinaryGradients = (
    dy: Tensor,
    a: Operand,
    b: Operand,
    y: Tensor | null,
    needs: readonly boolean[],
) => (Tensor | null)[];

/** A recorded binary op; `save` says what backward needs: the operands, the result or nothing. */
function defineBinary(
    name: string,
    float: boolean,
    save: 'operands' | 'result' | 'nothing',
    gradients: BinaryGradients,
): (a: Operand, b: Operand) => Tensor {
    const operands = (tensors: readonly Tensor[], { left, right }: Sides): [Operand, Operand] => {
        const [first, second] = tensors;
        return [left ?? first, right ?? (left === null ? second : first)];
    };
    const op = defineOp<readonly Tensor[], Sides>({
        name,
        forward: (context, inputs, sides) => {
            const [a, b] = operands(inputs, sides);
            const y = binary(name, a, b, float);
            if (save === 'operands') context.save(...inputs);
            if (save === 'result') context.save(y);
            return y;
        },
        backward: (dy, { saved, options, needs }) => {
            const [a, b] =
                save === 'operands' ? operands(saved, options) : [options.left ?? dy, options.right ?? dy];
            const wanted = [
                options.left === null && needs[0],
                options.right === null && needs.at(-1) === true,
            ];
            const both = gradients(dy, a, b, save === 'result' ? (saved[0] ?? null) : null, wanted);
            return both.filter((_, side) => (side === 0 ? options.left : options.right) === null);
        },
        differentiable: true,
    });
    return (a, b) => {
        if (typeof a !== 'number') requireTensor(name, a, 'the first operand');
        if (typeof b !== 'number') requireTensor(name, b, 'the second operand');
        const tensors = [a, b].filter((x) => x instanceof Tensor);
        return op(tensors, {
            left: typeof a === 'number' ? a : null,
            right: typeof b === 'number' ? b : null,
        });
    };
}

/** a + b, broadcast. */
export const add = defineBinary('add', false, 'nothing', (dy) => [dy, dy]);

/** a - b, broadcast. */
export const sub = defineBinary('sub', false, 'nothing', (dy, _a, _b, _y, needs) => [
    dy,
    needs[1] ? mul(dy, -1) : null,
]);

/** a * b, broadcast. */
export const mul = defineBinary('mul', false, 'operands', (dy, a, b, _y, needs) => [
    needs[0] ? mul(dy, b) : null,
    needs[1] ? mul(dy, a) : null,
]);

/** a / b, broadcast; integers give float32. */
export const div = defineBinary('div', true, 'operands', (dy, a, b, _y, needs) => [
    needs[0] ? div(dy, b) : null,
    needs[1] ? mul(div(mul(dy, a), mul(b, b)), -1) : null,
]);

declare module '../tensor/tensor.js' {
    interface Tensor {
        add(other: Operand): Tensor;
        sub(other: Operand): Tensor;
        mul(other: Operand): Tensor;
        div(other: Operand): Tensor;
        /** In another dtype. */
        to(dtype: DType): Tensor;
    }
}

installMethods({ add, sub, mul, div, to: cast });
