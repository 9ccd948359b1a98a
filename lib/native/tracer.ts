import type { TensorRecord } from './call.js';

/** A number that each replay of a captured step takes anew, such as a learning rate or a random offset. */
export class SlotValue {
    value = 0;
}

/** A parameter of an op: fixed, or taken anew by each replay. */
export type Scalar = number | SlotValue;

/** A condition outside of a captured step that its program depends on. */
export interface Guard {
    readonly holds: () => boolean;
    /** What has changed, where it holds no longer. */
    readonly change: () => string;
}

/** Who is told what a step does while it is captured; `lib/program` implements it. */
export interface Tracer {
    /** The JavaScript part of a step, run once before each replay, in the order of the calls; it may change `state`. */
    addAction(action: () => void, state?: StepState): void;
    /** Must stay true for the program to be used again. */
    addGuard(guard: Guard): void;
    /** `slot` stands for the value in place `index` of the program's slots. */
    bindSlot(slot: SlotValue, index: number): void;
    /** A recorded op, or a view, has used these tensors. */
    onCall(inputs: readonly (TensorRecord | number)[], written: readonly TensorRecord[]): void;
    /** A tensor that the step has made. */
    onCreated(record: TensorRecord): void;
    /** The gradient of a leaf is about to be read, or replaced. */
    onGradientRead(leaf: TensorRecord): void;
    onGradientSet(leaf: TensorRecord): void;
    /** True for a tensor that existed before the step. */
    isFromOutside(tensor: TensorRecord): boolean;
    /** What a tensor from outside is, for messages. */
    nameTensor(record: TensorRecord, name: string): void;
    /** The step lets go of a tensor that may be from outside: freed once the capture has succeeded. */
    discard(tensor: { dispose(): void }): void;
}

let active: Tracer | null = null;

/** The tracer of the step that is being captured, or null. */
export function activeTracer(): Tracer | null {
    return active;
}

/** Makes `tracer` the one in charge; returns the one before. */
export function exchangeTracer(tracer: Tracer | null): Tracer | null {
    const before = active;
    active = tracer;
    return before;
}

/** JavaScript state that steps change: counters, random offsets. */
export interface StepState {
    /** Notes the state; the function that it returns brings it back. */
    saveState(): () => void;
    /** The tensors that it keeps for a parameter. */
    tensorsOf?(parameter: TensorRecord): readonly TensorRecord[];
}

/** Runs `action` now, or before each replay where a step is being captured; it changes `state`. */
export function eachStep(action: () => void, state: StepState): void {
    if (active) active.addAction(action, state);
    else action();
}

/** `read()` now, or a number that is read before each replay where a step is being captured; reading changes `state`. */
export function perStep(read: () => number, state?: StepState): Scalar {
    if (!active) return read();
    const slot = new SlotValue();
    active.addAction(() => void (slot.value = read()), state);
    return slot;
}

/**
 * Ties the program of the step that is being captured to a condition outside of it, such as a mode. `change` says why there is
 * another program where it holds no longer.
 */
export function guard(holds: () => boolean, change: () => string): void {
    active?.addGuard({ holds, change });
}
