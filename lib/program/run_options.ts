import { amendMessage } from '../support/amend_message.js';
import { describeValue, isList } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import { shapeText, type Shape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { isOfLibrary, type CaptureName } from './members.js';
import type { RunOptions } from './options.js';
import { checkInputs } from './step_inputs.js';

/** Refuses options of a run that are none; they may come from JavaScript. */
export function requireRunOptions(name: CaptureName, options: RunOptions<never> | Tensor): void {
    if (options instanceof Tensor)
        throw new TypeError(
            `[${name}] run takes the inputs of the step in a list, got several tensors; write run(steps, [x, y])`,
        );
    requireOptionNames(`[${name}]`, options, ['onProgress', 'signal', 'chunk']);
    const { chunk = 1, onProgress, signal } = options;
    if (!Number.isInteger(chunk) || chunk < 1)
        throw new RangeError(
            `[${name}] chunk must be a number of steps, an integer of at least 1, got ${describeValue(chunk)}`,
        );
    if (onProgress !== undefined && typeof onProgress !== 'function')
        throw new TypeError(
            `[${name}] onProgress must be a function (stepsDone, results) => void, got ${describeValue(onProgress)}`,
        );
    if (signal !== undefined && !(signal instanceof AbortSignal))
        throw new TypeError(
            `[${name}] signal must be the AbortSignal of an AbortController, got ${describeValue(signal)}`,
        );
}

/** Refuses what cannot be the number of steps of a run. */
export function requireSteps(name: CaptureName, steps: number): void {
    if (Number.isInteger(steps) && steps >= 0) return;
    throw new RangeError(
        `[${name}] run takes the number of steps first, an integer of at least 0, got ${describeValue(steps)}`,
    );
}

/**
 * Refuses what cannot be the stacked inputs of so many steps. `isOfOneStep` tells whether a single step has taken an input in
 * a shape.
 */
export function checkStacked(
    steps: number,
    inputs: readonly Tensor[],
    isOfOneStep: (input: number, shape: Shape) => boolean,
): void {
    if (!isList(inputs))
        throw new TypeError(
            `[capture] run takes the inputs of the step in a list, got ${describeValue(inputs)}; ` +
                'write run(steps, [x, y])',
        );
    checkInputs(inputs);
    inputs.forEach(({ shape }, i) => {
        const [length] = shape;
        if (length === steps) return;
        const count = steps === 1 ? '1 step' : `${steps} steps`;
        if (isOfOneStep(i, shape))
            throw new RangeError(
                `[capture] input ${i} of shape ${shapeText(shape)} is that of one step; inputs of run have one more axis in ` +
                    `front, an entry a step: ${shapeText([steps, ...shape])} for ${count}`,
            );
        throw new RangeError(
            `[capture] input ${i} of shape ${shapeText(shape)} has ` +
                `${length === undefined ? 'no axis' : `a first axis of ${length}`} for ${count}; inputs of run have one ` +
                'more axis in front than those of one step, an entry a step',
        );
    });
}

/** Says with an error of an op what `run` gave the step, which may have been meant for one step. */
export function nameEntries(error: unknown, inputs: readonly Tensor[]): void {
    if (!(error instanceof Error) || !isOfLibrary(error.message)) return;
    const shapes = inputs.map(({ shape }) => shapeText(shape.slice(1)));
    amendMessage(
        error,
        `${error.message}; run gave the step the first entries of its inputs, ${shapes.join(', ')}: inputs of run have one ` +
            'more axis in front, an entry a step',
    );
}
