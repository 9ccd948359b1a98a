import { CaptureError } from '../native/capture_error.js';
import { run } from '../native/call.js';
import { Scope, scope } from '../autograd/scope.js';
import { shapeText } from '../tensor/shape.js';
import { Tensor, type TensorData } from '../tensor/tensor.js';
import type { CapturedProgram, PreparedReplay } from './captured_program.js';
import { tensorsOf } from './results.js';

/** A step and its program disagree: the step depends on JavaScript that changes from call to call. */
export class CaptureMismatchError extends CaptureError {
    override name = 'CaptureMismatchError';

    /** `result`: what the step itself has returned. */
    constructor(
        message: string,
        readonly result: unknown,
    ) {
        super(message);
    }
}

function copyOf(x: Tensor): Tensor {
    const copy = new Tensor(x.shape, x.dtype);
    run('contiguous', [x], [copy]);
    return copy;
}

function bytesOf(data: TensorData): Buffer {
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** The largest difference between two lists of numbers; 0 where both are NaN, Infinity where one is. */
function largestDifference(a: TensorData, b: TensorData): number {
    if (bytesOf(a).equals(bytesOf(b))) return 0;
    let largest = 0;
    for (let i = 0; i < a.length; i++) {
        const [x, y] = [Number(a[i]), Number(b[i])];
        if (Object.is(x, y) || x === y) continue;
        const difference = Math.abs(x - y);
        largest = Math.max(largest, Number.isNaN(difference) ? Infinity : difference);
    }
    return largest;
}

/** Says how the two differ; undefined where they are the same. */
function difference(what: string, replayed: Tensor, direct: Tensor | null): string | undefined {
    const largest =
        direct?.size === replayed.size ? largestDifference(replayed.dataSync(), direct.dataSync()) : Infinity;
    return largest === 0
        ? undefined
        : `${what} of shape ${shapeText(replayed.shape)} differs by up to ${largest.toPrecision(3)}`;
}

function firstOf<Item>(
    items: readonly Item[],
    find: (item: Item, i: number) => string | undefined,
): string | undefined {
    for (const [i, item] of items.entries()) {
        const found = find(item, i);
        if (found !== undefined) return found;
    }
    return undefined;
}

type Copies = readonly (readonly [tensor: Tensor, copy: Tensor])[];

/**
 * One check: the program runs, everything is taken back, the step itself runs, and what both computed is compared: results,
 * every tensor that was written, gradients. The state afterwards, and the result, are those of the step itself, also where
 * they disagree.
 */
class Validation<Result> {
    private readonly scope = new Scope();
    private readonly outputs: readonly Tensor[];
    private readonly before: Copies;
    private readonly restoreStates: () => void;
    readonly prepared: PreparedReplay;

    constructor(
        private readonly program: CapturedProgram<Result>,
        inputs: readonly Tensor[],
    ) {
        this.restoreStates = program.saveStates();
        this.before = this.copies(program.written);
        this.outputs = this.scope.run(() => program.newOutputs(1, false));
        this.prepared = program.prepare(1, inputs, this.outputs, false);
    }

    private copies(tensors: readonly Tensor[]): Copies {
        return this.scope.run(() => tensors.map((x) => [x, copyOf(x)] as const));
    }

    /** After the program ran: notes what it did, and takes it back; the function that it returns compares. */
    takeBack(): (result: Result) => Result {
        const { program, scope } = this;
        const written = this.copies(program.written);
        const gradients = program.leafGradients.map(({ leaf, gradient }) => {
            return [leaf, scope.run(() => copyOf(gradient))] as const;
        });
        for (const [x, copy] of this.before) run('copy', [copy], [x]);
        this.restoreStates();
        return (result) => this.compare(result, written, gradients);
    }

    /** The step's own result, if the program has come to the same. */
    private compare(result: Result, written: Copies, gradients: Copies): Result {
        const direct = tensorsOf(result);
        const found =
            firstOf(this.outputs, (x, i) => difference(`result ${i}`, x, direct[i] ?? null)) ??
            firstOf(written, ([x, copy]) => difference('a tensor that it writes', copy, x)) ??
            firstOf(gradients, ([leaf, copy]) => difference('a gradient', copy, leaf.storedGrad));
        if (found === undefined) {
            this.program.dropGradients();
            return result;
        }
        throw new CaptureMismatchError(
            `[capture] the step and its captured program disagree: ${found}; the step depends on JavaScript that changes ` +
                'from call to call: pass it in as a 0-d tensor, or call the step itself',
            result,
        );
    }

    dispose(): void {
        this.scope.dispose();
    }
}

/**
 * Runs the step itself, and its program beside it.
 *
 * @throws CaptureMismatchError for the first tensor that differs.
 */
export function validate<Result>(
    program: CapturedProgram<Result>,
    step: () => Result,
    inputs: readonly Tensor[],
): Result {
    const validation = new Validation(program, inputs);
    try {
        program.runExactly(validation.prepared);
        const compare = validation.takeBack();
        return compare(scope(step));
    } finally {
        validation.dispose();
    }
}

/** As `validate`, with the program on another thread and a step that may give the event loop its turn. */
export async function validateAsync<Result>(
    program: CapturedProgram<Result>,
    step: () => Result | Promise<Result>,
    inputs: readonly Tensor[],
): Promise<Result> {
    const validation = new Validation(program, inputs);
    try {
        await program.runExactlyAsync(validation.prepared);
        const compare = validation.takeBack();
        return compare(await step());
    } finally {
        validation.dispose();
    }
}
