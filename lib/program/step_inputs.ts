import { autocastDtype } from '../autograd/autocast.js';
import { isGradEnabled } from '../autograd/grad_mode.js';
import { CaptureError } from '../native/capture_error.js';
import { shapeText } from '../tensor/shape.js';
import { Tensor, viewOf } from '../tensor/tensor.js';

/** Dtypes and layouts of the tensors, and which of them each input is. */
export function signatureOf(samples: readonly Tensor[], places: readonly number[]): string {
    const parts = samples.map(
        ({ device, dtype, shape, strides }) => `${device}:${dtype}:${shape.join()}:${strides.join()}`,
    );
    return `${isGradEnabled() ? 'grad' : 'no grad'}|${autocastDtype() ?? ''}|${places.join()}|${parts.join('|')}`;
}

/** The first entry along the first axis, as the step sees it. */
export function firstEntry(x: Tensor): Tensor {
    return entryAt(x, 0);
}

/** Entry `i` along the first axis. */
export function entryAt(x: Tensor, i: number): Tensor {
    return viewOf(x, x.shape.slice(1), x.strides.slice(1), i * (x.strides[0] ?? 0));
}

/** `count` entries from `first` on. */
export function entries(tensors: readonly Tensor[], first: number, count: number): Tensor[] {
    return tensors.map((x) =>
        viewOf(x, [count, ...x.shape.slice(1)], x.strides, first * (x.strides[0] ?? 0)),
    );
}

/** Refuses what cannot be an input of a captured step. */
export function checkInputs(inputs: readonly unknown[]): asserts inputs is readonly Tensor[] {
    inputs.forEach((input, i) => {
        if (!(input instanceof Tensor))
            throw new TypeError(
                `[capture] input ${i} must be a Tensor, got ${typeof input}; numbers that change go in as 0-d tensors`,
            );
        if (input.isDisposed)
            throw new Error(`[capture] input ${i} of shape ${shapeText(input.shape)} was disposed`);
        if (input.needsGrad)
            throw new CaptureError(
                `[capture] input ${i} of shape ${shapeText(input.shape)} requires a gradient; use a parameter from outside ` +
                    'the step, or detach() it',
            );
    });
}
