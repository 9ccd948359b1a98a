import { autocastDtype } from '../autograd/autocast.js';
import { isGradEnabled } from '../autograd/grad_mode.js';
import { run } from '../native/call.js';
import { describeValue } from '../support/describe_value.js';
import { CaptureError } from '../native/capture_error.js';
import type { DType } from '../tensor/dtype.js';
import { sameShape, shapeText } from '../tensor/shape.js';
import { Tensor, viewOf } from '../tensor/tensor.js';

/** Dtypes and layouts of the tensors, which of them each input is, and modes: all that `Signature` says, as one string. */
export function signatureKey(samples: readonly Tensor[], places: readonly number[]): string {
    const parts = samples.map(
        ({ device, dtype, shape, strides }) => `${device}:${dtype}:${shape.join()}:${strides.join()}`,
    );
    return `${isGradEnabled() ? 'grad' : 'no grad'}|${autocastDtype() ?? ''}|${places.join()}|${parts.join('|')}`;
}

/** What a program holds for, to say what has changed. */
export interface Signature {
    readonly isGradEnabled: boolean;
    readonly autocast: DType | null;
    readonly inputs: readonly InputKind[];
}

type InputKind = Pick<Tensor, 'device' | 'dtype' | 'shape' | 'strides'> & { readonly place: number };

export function signatureOf(samples: readonly Tensor[], places: readonly number[]): Signature {
    const inputs = places.flatMap((place) => {
        const sample = samples[place];
        if (!sample) return [];
        const { device, dtype, shape, strides } = sample;
        return [{ device, dtype, shape, strides, place }];
    });
    return { isGradEnabled: isGradEnabled(), autocast: autocastDtype(), inputs };
}

/** What is not in `now` as it was `then`. */
export function changeOfSignature(then: Signature, now: Signature): string {
    if (now.inputs.length !== then.inputs.length)
        return `the number of inputs changed from ${then.inputs.length} to ${now.inputs.length}`;
    for (const [i, input] of now.inputs.entries()) {
        const before = then.inputs[i];
        const change = before && changeOfInput(before, input);
        if (change) return `input ${i} ${change}`;
    }
    if (now.isGradEnabled !== then.isGradEnabled)
        return `gradients are ${now.isGradEnabled ? 'on' : 'off'} now`;
    return `autocast is ${now.autocast ?? 'off'} now`;
}

function changeOfInput(then: InputKind, now: InputKind): string | undefined {
    const changed = (before: string, after: string): string => `changed from ${before} to ${after}`;
    if (!sameShape(then.shape, now.shape)) return changed(shapeText(then.shape), shapeText(now.shape));
    if (then.dtype !== now.dtype) return changed(then.dtype, now.dtype);
    if (then.device !== now.device) return changed(then.device, now.device);
    if (!sameShape(then.strides, now.strides))
        return changed(`strides ${shapeText(then.strides)}`, `strides ${shapeText(now.strides)}`);
    return then.place === now.place ? undefined : 'is, or is no longer, the same tensor as another input';
}

/** The first entry along the first axis, as the step sees it. */
export function firstEntry(x: Tensor): Tensor {
    return entryAt(x, 0);
}

/** What a step sees of an input of no steps: a tensor like the entries that are not there. */
export function emptyEntry(x: Tensor): Tensor {
    const entry = new Tensor(x.shape.slice(1), x.dtype, { device: x.device });
    run('fill', [], [entry], [0]);
    return entry;
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
        if (!(input instanceof Tensor)) {
            const hint = typeof input === 'number' ? '; numbers that change go in as 0-d tensors' : '';
            throw new TypeError(`[capture] input ${i} must be a Tensor, got ${describeValue(input)}${hint}`);
        }
        if (input.isDisposed)
            throw new Error(`[capture] input ${i} of shape ${shapeText(input.shape)} was disposed`);
        if (input.needsGrad)
            throw new CaptureError(
                `[capture] input ${i} of shape ${shapeText(input.shape)} requires a gradient; use a parameter from outside ` +
                    'the step, or detach() it',
            );
    });
}
