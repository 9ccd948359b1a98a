import { defineOp } from '../autograd/define_op.js';
import type { DType } from '../tensor/dtype.js';
import { broadcastShapes, shapeText } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { gt, logicalAnd, lt } from './compare.js';
import { beside, requireTensor, resultDtype } from './convert.js';
import { fullLike } from './create.js';
import { operandShape, runNew, unaryKernel, type Operand } from './kernels.js';
import { installMethods } from './methods.js';

interface WhereOptions {
    readonly yes: number | null;
    readonly no: number | null;
}

/** The tensors and numbers of a call, in order: condition, yes, no. */
function operandsOf(inputs: readonly Tensor[], { yes, no }: WhereOptions): [Tensor, Operand, Operand] {
    const [condition, first, second] = inputs as readonly [Tensor, Tensor, Tensor];
    return [condition, yes ?? first, no ?? (yes === null ? second : first)];
}

// condition bool, yes, no broadcast -> out [...]
const whereOp = defineOp<readonly Tensor[], WhereOptions>({
    name: 'where',
    forward: (context, inputs, options) => {
        const [condition, yes, no] = operandsOf(inputs, options);
        context.save(condition);
        const shape = broadcastShapes('where', condition.shape, operandShape('where', yes, no));
        return runNew('where', [condition, yes, no], shape, resultDtype(yes, no));
    },
    backward: (dy, { saved: [condition], options: { yes, no }, needs }) => [
        null,
        ...(yes === null ? [needs[1] ? where(condition, dy, 0) : null] : []),
        ...(no === null ? [needs.at(-1) ? where(condition, 0, dy) : null] : []),
    ],
    differentiable: true,
});

function requireMask(op: string, mask: Tensor, what: string): void {
    requireTensor(op, mask, what);
    if (mask.dtype !== 'bool')
        throw new TypeError(`[${op}] ${what} must be bool, got ${mask.dtype}; compare with x.ne(0)`);
}

/**
 * `yes` where the condition holds, else `no`; all three broadcast. Either may be a number; the dtype is the promoted one.
 * What is not chosen has no influence, not even as NaN, neither on the result nor on the gradient.
 *
 * @throws TypeError when the condition is not bool; RangeError when the shapes do not broadcast.
 * @example
 * import { tensor, where } from 'nativegrad';
 * const x = tensor([-1, 2]);
 * console.log(where(x.gt(0), x, 0).toArray()); // [0, 2]
 */
export function where(condition: Tensor, yes: Operand, no: Operand): Tensor {
    requireMask('where', condition, 'the condition');
    if (typeof yes !== 'number') requireTensor('where', yes, 'the second operand');
    if (typeof no !== 'number') requireTensor('where', no, 'the third operand');
    const first = [condition, yes, no].find((x) => x instanceof Tensor && x.deviceCode > 0) ?? condition;
    return whereOp(
        [condition, yes, no].map((x) => beside(x, first)).filter((x) => x instanceof Tensor),
        { yes: typeof yes === 'number' ? yes : null, no: typeof no === 'number' ? no : null },
    );
}

// x, mask broadcast, value [] -> out [...] in the dtype of x
const maskedFillOp = defineOp<readonly Tensor[], { value: number | null }>({
    name: 'masked_fill',
    forward: (context, [x, mask, tensor], { value }) => {
        context.save(mask);
        const shape = broadcastShapes('masked_fill', x.shape, mask.shape);
        return runNew('where', [mask, value ?? tensor, x], shape, x.dtype, [], 'masked_fill');
    },
    backward: (dy, { saved: [mask], needs }) => [
        needs[0] ? where(mask, 0, dy) : null,
        null,
        ...(needs.length === 3 ? [needs[2] ? where(mask, dy, 0) : null] : []),
    ],
    differentiable: true,
});

/** @internal Checks of `maskedFill` and its in-place form. */
export function checkMaskedFill(op: string, x: Tensor, mask: Tensor, value: Operand): void {
    requireTensor(op, x);
    requireMask(op, mask, 'the mask');
    if (typeof value === 'number') return;
    requireTensor(op, value, 'the value');
    if (value.rank !== 0) {
        throw new RangeError(
            `[${op}] the value must be a number or a 0-d tensor, got shape ${shapeText(value.shape)}; use where()`,
        );
    }
}

/**
 * x with `value` wherever the mask holds; x and the mask broadcast. The result has the dtype of x.
 *
 * @throws TypeError when the mask is not bool; RangeError when the value has dimensions or the shapes do not broadcast.
 * @example
 * import { tensor } from 'nativegrad';
 * const x = tensor([1, 2, 3]);
 * console.log(x.maskedFill(x.gt(1), -1).toArray()); // [1, -1, -1]
 */
export function maskedFill(x: Tensor, mask: Tensor, value: Operand): Tensor {
    checkMaskedFill('masked_fill', x, mask, value);
    if (typeof value === 'number') return maskedFillOp([x, mask], { value });
    return maskedFillOp([x, mask, beside(value, x) as Tensor], { value: null });
}

interface Bounds {
    readonly min: number | null;
    readonly max: number | null;
}

/** @internal The bounds of a call, checked; a missing one is null. */
export function clampBounds(
    op: string,
    min: number | null | undefined,
    max: number | null | undefined,
): Bounds {
    for (const bound of [min, max]) {
        if (bound !== null && bound !== undefined && typeof bound !== 'number')
            throw new TypeError(
                `[${op}] bounds must be numbers, got ${typeof bound}; use minimum() or maximum()`,
            );
    }
    const bounds = { min: min ?? null, max: max ?? null };
    if (bounds.min === null && bounds.max === null) throw new TypeError(`[${op}] needs min, max or both`);
    return bounds;
}

/** @internal Integers become float where a bound is a fraction. Infinite bounds are those left out. */
export function clampDtype(x: Tensor, { min, max }: Bounds): DType {
    const bounds = [min, max].filter((bound) => bound !== null);
    return resultDtype(x, bounds.find((bound) => !Number.isInteger(bound)) ?? bounds[0] ?? 0);
}

/** @internal Constants of the native function; NaN where a bound is NaN, which makes every element NaN. */
export function clampConstants({ min, max }: Bounds): [number, number] {
    return [min ?? -Infinity, max ?? Infinity];
}

const clampOp = defineOp<readonly [Tensor], Bounds>({
    name: 'clamp',
    // x [...] -> y [...]
    forward: (context, [x], bounds) => {
        context.save(x);
        const dtype = clampDtype(x, bounds);
        const [low, high] = clampConstants(bounds);
        if (Number.isNaN(low) || Number.isNaN(high)) return fullLike(x, NaN, { dtype });
        return unaryKernel('clamp', x, dtype, low, high);
    },
    backward: (dy, { saved: [x], options: { min, max } }) => {
        const above = min === null ? null : gt(x, min);
        const below = max === null ? null : lt(x, max);
        const inside = above && below ? logicalAnd(above, below) : (above ?? below);
        return [inside && where(inside, dy, 0)];
    },
    differentiable: true,
});

/**
 * min(max(x, min), max): values below `min` become `min`, values above `max` become `max`. Leave a bound out with null or
 * undefined. NaN stays; the gradient is 0 at the bounds and beyond, as in PyTorch.
 *
 * @throws TypeError when both bounds are missing.
 * @example
 * import { tensor } from 'nativegrad';
 * console.log(tensor([-2, 0.5, 3]).clamp(-1, 1).toArray()); // [-1, 0.5, 1]
 */
export function clamp(x: Tensor, min?: number | null, max?: number | null): Tensor {
    requireTensor('clamp', x);
    return clampOp([x], clampBounds('clamp', min, max));
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        /** These elements where the condition holds, else those of `other`. */
        where(condition: Tensor, other: Operand): Tensor;
        maskedFill(mask: Tensor, value: Operand): Tensor;
        clamp(min?: number | null, max?: number | null): Tensor;
    }
}

installMethods({
    where: (x: Tensor, condition: Tensor, other: Operand) => where(condition, x, other),
    maskedFill,
    clamp,
});
