import { Tensor } from '../tensor/tensor.js';
import { CaptureError } from '../native/capture_error.js';

/**
 * The tensors in what a captured step returned, in order: nothing, a tensor, or lists and objects of these. Refuses anything
 * that a replay could not compute anew.
 */
export function tensorsOf(result: unknown, found: Tensor[] = []): Tensor[] {
    if (result === undefined || result === null) return found;
    if (result instanceof Tensor) {
        found.push(result);
    } else if (Array.isArray(result)) {
        for (const item of result as readonly unknown[]) tensorsOf(item, found);
    } else if (typeof result === 'object' && !(result instanceof Promise)) {
        for (const [, item] of entriesOf(result)) tensorsOf(item, found);
    } else {
        const got =
            result instanceof Promise ? 'a promise: the step must be synchronous' : `a ${typeof result}`;
        throw new CaptureError(
            `[capture] the step returned ${got}; return tensors (alone, or in arrays and objects), and read them outside`,
        );
    }
    return found;
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
