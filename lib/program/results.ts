import { Tensor } from '../tensor/tensor.js';
import { CaptureError } from '../native/capture_error.js';
import { describeValue, isPromise } from '../support/describe_value.js';

/**
 * The tensors in what a captured step returned, in order: nothing, a tensor, or lists and plain objects of these. Refuses
 * anything that a replay could not compute anew.
 */
export function tensorsOf(result: unknown): Tensor[] {
    const found: Tensor[] = [];
    collect(result, found, []);
    return found;
}

function collect(item: unknown, found: Tensor[], parents: readonly object[]): void {
    if (item === undefined || item === null) return;
    if (item instanceof Tensor) {
        found.push(item);
        return;
    }
    if (typeof item !== 'object' || !(Array.isArray(item) || isPlainObject(item))) throw refusalOf(item);
    if (parents.includes(item))
        throw new CaptureError('[capture] the step returned an object that contains itself; return tensors');
    const items: readonly unknown[] = Array.isArray(item) ? item : entriesOf(item).map(([, value]) => value);
    for (const inner of items) collect(inner, found, [...parents, item]);
}

function isPlainObject(item: object): boolean {
    const prototype: unknown = Object.getPrototypeOf(item);
    return prototype === Object.prototype || prototype === null;
}

function refusalOf(item: unknown): CaptureError {
    const got = isPromise(item) ? 'a promise: the step must be synchronous' : describeValue(item);
    return new CaptureError(
        `[capture] the step returned ${got}; return tensors (alone, or in arrays and plain objects), and read them outside`,
    );
}

/** By name: two objects with the same properties have them in the same order. */
function entriesOf(item: object): [string, unknown][] {
    return Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The same structure with other tensors in the places of its own. */
export function replaceTensors<Result>(result: Result, tensors: Iterator<Tensor>): Result {
    const replace = (item: unknown): unknown => {
        if (typeof item !== 'object' || item === null) return item;
        if (item instanceof Tensor) return tensors.next().value as Tensor;
        if (Array.isArray(item)) return item.map(replace);
        return Object.fromEntries(entriesOf(item).map(([name, value]) => [name, replace(value)]));
    };
    return replace(result) as Result;
}
