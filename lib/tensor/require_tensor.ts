import { describeValue, isPromise } from '../support/describe_value.js';
import { Tensor } from './tensor.js';

function hintFor(x: unknown): string {
    if (isPromise(x)) return 'is an `await` missing?';
    if (x === undefined) return 'was an argument or a return forgotten?';
    // Only a class of the same name from a second copy of the package is none of ours.
    if (typeof x === 'object' && x?.constructor.name === 'Tensor')
        return 'it comes from another library or another copy of this package';
    return 'make one with tensor(...)';
}

/** @internal The error for a value that should have been a tensor; `where` begins the message: `[add] the first operand`. */
export function noTensor(where: string, x: unknown): TypeError {
    return new TypeError(`${where} must be a Tensor, got ${describeValue(x)}; ${hintFor(x)}`);
}

/** Throws where `list` is anything but an array of tensors. */
export function requireTensorList(
    op: string,
    what: string,
    list: unknown,
): asserts list is readonly Tensor[] {
    if (!Array.isArray(list))
        throw new TypeError(`[${op}] ${what} must be a list of Tensors, got ${describeValue(list)}`);
    const items: readonly unknown[] = list;
    items.forEach((x, i) => {
        if (!(x instanceof Tensor)) throw noTensor(`[${op}] ${what}: entry ${i}`, x);
    });
}

/** Throws where `x` is anything but a tensor; `op` and `what` name the place in the message. */
export function requireTensor(op: string, x: unknown, what = 'input'): asserts x is Tensor {
    if (!(x instanceof Tensor)) throw noTensor(`[${op}] ${what}`, x);
}
