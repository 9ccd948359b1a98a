import { Tensor } from '../tensor/tensor.js';
import { CaptureError } from '../native/capture_error.js';

/** What a captured step may return: nothing, a tensor, or lists and plain objects of these. */
export type StepResult =
    Tensor | undefined | null | readonly StepResult[] | { readonly [name: string]: StepResult };

/** The tensors in a result, in order. Refuses anything that a replay could not compute anew. */
export function tensorsOf(result: StepResult, found: Tensor[] = []): Tensor[] {
    if (result === undefined || result === null) return found;
    if (result instanceof Tensor) {
        found.push(result);
    } else if (Array.isArray(result)) {
        for (const item of result as readonly StepResult[]) tensorsOf(item, found);
    } else if (typeof result === 'object' && !(result instanceof Promise)) {
        for (const item of Object.values(result)) tensorsOf(item, found);
    } else {
        const got =
            result instanceof Promise ? 'a promise: the step must be synchronous' : `a ${typeof result}`;
        throw new CaptureError(
            `[capture] the step returned ${got}; return tensors (alone, or in arrays and objects), and read them outside`,
        );
    }
    return found;
}

/** The same structure with other tensors in the places of its own. */
export function replaceTensors<Result extends StepResult>(result: Result, tensors: Iterator<Tensor>): Result {
    const replace = (item: StepResult): StepResult => {
        if (item === undefined || item === null) return item;
        if (item instanceof Tensor) return tensors.next().value as Tensor;
        if (Array.isArray(item)) return (item as readonly StepResult[]).map(replace);
        return Object.fromEntries(Object.entries(item).map(([name, value]) => [name, replace(value)]));
    };
    return replace(result) as Result;
}
