import { describeValue } from '../support/describe_value.js';
import type { Tensor } from '../tensor/tensor.js';
import { isFloat } from '../tensor/dtype.js';
import { tapeServices } from './services.js';

let detecting = false;

/** Thrown in anomaly mode by the op that made the first NaN. */
export class AnomalyError extends Error {
    override name = 'AnomalyError';
}

/**
 * Checks every recorded op while `body` runs: the first one whose result, or whose gradient in a backward pass, holds a NaN
 * throws an `AnomalyError` that names it. Slow; for finding a fault.
 *
 * @example
 * import { detectAnomaly, tensor } from 'nativegrad';
 * const x = tensor([-1], { requiresGrad: true });
 * try {
 *     detectAnomaly(() => x.sqrt());
 * } catch (error) {
 *     console.log(String(error)); // AnomalyError: [sqrt] made the first NaN …
 * }
 */
export function detectAnomaly<T>(body: () => T): T {
    if (typeof body !== 'function')
        throw new TypeError(`[detectAnomaly] takes a function to run, got ${describeValue(body)}`);
    const before = detecting;
    detecting = true;
    try {
        return body();
    } finally {
        detecting = before;
    }
}

/** @internal True inside of `detectAnomaly`. */
export function isDetectingAnomaly(): boolean {
    return detecting;
}

/** @internal */
export function checkForward(op: string, outputs: readonly Tensor[]): void {
    if (!detecting) return;
    for (const output of outputs) {
        if (isFloat(output.dtype) && tapeServices().hasNaN(output)) {
            throw new AnomalyError(
                `[${op}] made the first NaN, in its result of shape [${output.shape.join(', ')}]`,
            );
        }
    }
}

/** @internal */
export function checkBackward(op: string, gradients: readonly (Tensor | null)[]): void {
    if (!detecting) return;
    gradients.forEach((gradient, index) => {
        if (gradient && tapeServices().hasNaN(gradient)) {
            throw new AnomalyError(`[${op}] made the first NaN, in the gradient of its input ${index}`);
        }
    });
}
