import { CaptureError } from '../native/capture_error.js';
import { run } from '../native/call.js';
import { Scope } from '../autograd/scope.js';
import { shapeText } from '../tensor/shape.js';
import { Tensor, type TensorData } from '../tensor/tensor.js';
import type { CapturedProgram } from './captured_program.js';
import { tensorsOf, type StepResult } from './results.js';

/** A step and its program disagree: the step depends on JavaScript that changes from call to call. */
export class CaptureMismatchError extends CaptureError {
    override name = 'CaptureMismatchError';
}

function copyOf(x: Tensor): Tensor {
    const copy = new Tensor(x.shape, x.dtype);
    run('contiguous', [x], [copy]);
    return copy;
}

/** The largest difference between two lists of numbers; 0 where both are NaN, Infinity where one is. */
function largestDifference(a: TensorData, b: TensorData): number {
    let largest = 0;
    for (let i = 0; i < a.length; i++) {
        const [x, y] = [Number(a[i]), Number(b[i])];
        if (Object.is(x, y) || x === y) continue;
        const difference = Math.abs(x - y);
        largest = Math.max(largest, Number.isNaN(difference) ? Infinity : difference);
    }
    return largest;
}

function compare(what: string, replayed: Tensor, direct: Tensor | null): void {
    const difference =
        direct?.size === replayed.size ? largestDifference(replayed.dataSync(), direct.dataSync()) : Infinity;
    if (difference === 0) return;
    throw new CaptureMismatchError(
        `[capture] the step and its captured program disagree: ${what} of shape ${shapeText(replayed.shape)} differs by up ` +
            `to ${difference.toPrecision(3)}; the step depends on JavaScript that changes from call to call: pass it in as ` +
            'a 0-d tensor, or call the step itself',
    );
}

/**
 * Runs the program, takes everything back, runs the step itself and compares what both computed: results, every tensor that
 * was written, gradients. The state afterwards, and the result, are those of the step itself, also where they disagree.
 *
 * @throws CaptureMismatchError for the first tensor that differs.
 */
export function validateReplay<Result extends StepResult>(
    program: CapturedProgram<Result>,
    step: () => Result,
    inputs: readonly Tensor[],
): Result {
    const scope = new Scope();
    try {
        const replayed = scope.run(() => {
            const restoreStates = program.saveStates();
            const before = program.written.map((x) => [x, copyOf(x)] as const);
            const outputs = program.newOutputs(1, false);
            program.runNow(program.prepare(1, inputs, outputs, false));
            const written = program.written.map((x) => [x, copyOf(x)] as const);
            const gradients = program.leafGradients.map(
                ({ leaf, gradient }) => [leaf, copyOf(gradient)] as const,
            );
            for (const [x, copy] of before) run('copy', [copy], [x]);
            restoreStates();
            return { outputs, written, gradients };
        });
        const result = scope.run(step);
        scope.release(result);
        const direct = tensorsOf(result);
        replayed.outputs.forEach((x, i) => compare(`result ${i}`, x, direct[i] ?? null));
        for (const [x, copy] of replayed.written) compare('a tensor that it writes', copy, x);
        for (const [leaf, copy] of replayed.gradients) compare('a gradient', copy, leaf.storedGrad);
        return result;
    } finally {
        scope.dispose();
    }
}
