import { describeValue, isList } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import { shapeText } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import type { RunOptions } from './options.js';
import { checkInputs } from './step_inputs.js';

/** Refuses options of a run that are none; they may come from JavaScript. */
export function requireRunOptions(options: RunOptions<never> | Tensor): void {
    if (options instanceof Tensor)
        throw new TypeError(
            '[capture] run takes the inputs of the step in a list, got several tensors; write run(steps, [x, y])',
        );
    requireOptionNames('[capture]', options, ['onProgress', 'signal', 'chunk']);
    const { chunk = 1, onProgress, signal } = options;
    if (!Number.isInteger(chunk) || chunk < 1)
        throw new RangeError(
            `[capture] chunk must be a number of steps, an integer of at least 1, got ${describeValue(chunk)}`,
        );
    if (onProgress !== undefined && typeof onProgress !== 'function')
        throw new TypeError(
            `[capture] onProgress must be a function (stepsDone, results) => void, got ${describeValue(onProgress)}`,
        );
    if (signal !== undefined && !(signal instanceof AbortSignal))
        throw new TypeError(
            `[capture] signal must be the AbortSignal of an AbortController, got ${describeValue(signal)}`,
        );
}

/** Refuses what cannot be the number of steps of a run and its stacked inputs. */
export function checkSteps(steps: number, inputs: readonly Tensor[]): void {
    if (!isList(inputs))
        throw new TypeError(
            `[capture] run takes the inputs of the step in a list, got ${describeValue(inputs)}; ` +
                'write run(steps, [x, y])',
        );
    checkInputs(inputs);
    if (!Number.isInteger(steps) || steps < 0)
        throw new RangeError(
            `[capture] run takes the number of steps first, an integer of at least 0, got ${describeValue(steps)}`,
        );
    inputs.forEach(({ shape }, i) => {
        if ((shape[0] ?? 0) < Math.max(steps, 1))
            throw new RangeError(
                `[capture] input ${i} of shape ${shapeText(shape)} has too few entries for ${steps} steps; ` +
                    'its first axis counts the steps',
            );
    });
}
