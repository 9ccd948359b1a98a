import { Scope } from '../autograd/scope.js';
import type { NativeProgram } from '../native/addon.js';
import { run } from '../native/call.js';
import { abortRecording, beginRecording, endRecording } from '../native/program.js';
import { exchangeTracer } from '../native/tracer.js';
import { keep } from '../tensor/lifetime.js';
import { Tensor, viewOf } from '../tensor/tensor.js';
import { ProgramTracer } from './program_tracer.js';
import { tensorsOf } from './results.js';

/** What a leaf's gradient is after each replay. `anchor` holds its memory. */
export interface GradientEffect {
    readonly leaf: Tensor;
    readonly anchor: Tensor | null;
}

/** How a step becomes a program. */
export interface RecordingOptions {
    /** Put calls together. */
    readonly fuse: boolean;
    /** Leave gradients in `.grad`. */
    readonly gradients: boolean;
}

/** What recording a step gives. */
export interface RecordedStep<Result> {
    /** The calls as recorded, for checks, where replays run others; and those that replays run. */
    readonly exact: NativeProgram | null;
    readonly native: NativeProgram;
    readonly tracer: ProgramTracer;
    /** What the step returned; its tensors show the places of results. */
    readonly structure: Result;
    readonly effects: readonly GradientEffect[];
    /** An input of the capture shared memory with what the step writes. */
    readonly sharesInputs: boolean;
}

/**
 * Runs `step` without executing it, and makes a program of what it would do, with fused calls where `fuse` is set; then
 * `exact` asks for one with the calls as they are beside it.
 */
export function recordStep<Result>(
    step: (...inputs: Tensor[]) => Result,
    inputs: readonly Tensor[],
    { fuse, gradients }: RecordingOptions,
    exact: boolean,
): RecordedStep<Result> {
    const scope = new Scope();
    const standIns = scope.run(() => inputs.map(standInFor));
    const tracer = new ProgramTracer(standIns);
    beginRecording(inputs, standIns);
    const outer = exchangeTracer(tracer);
    let isDone = false;
    try {
        const structure = scope.run(() => step(...standIns));
        const results = scope.run(() => tensorsOf(structure).map(rowMajor));
        tracer.onCall(results, []);
        exchangeTracer(outer);
        const kept = keptGradients(tracer, gradients);
        const slots = tracer.slots.map(({ index }) => index);
        const written = new Set(tracer.written.map(({ version }) => version));
        // The rules that put calls together take inputs for memory that nobody writes.
        const sharesInputs = inputs.some(({ version }) => written.has(version));
        const isFused = fuse && !sharesInputs;
        const programs = endRecording(
            results,
            kept.map(({ gradient }) => gradient),
            slots,
            { exact: exact || !isFused, fused: isFused },
        );
        isDone = true;
        const [first, last] = [programs[0], programs.at(-1)];
        if (!first || !last) throw new Error('[capture] the addon made no program');
        const anchors = new Map(kept.map(({ leaf, gradient }) => [leaf, anchorOf(gradient)]));
        const effects = changedGradients(tracer).map((leaf) => ({
            leaf,
            anchor: anchors.get(leaf) ?? null,
        }));
        for (const old of tracer.discarded) old.dispose();
        tracer.takeBackGradients();
        const calls = first === last ? null : first;
        return { exact: calls, native: last, tracer, structure, effects, sharesInputs };
    } finally {
        exchangeTracer(outer);
        if (!isDone) {
            abortRecording();
            tracer.undo();
        }
        scope.dispose();
    }
}

/** What the step gets in place of an input: a tensor of its own with the same layout. */
function standInFor(input: Tensor): Tensor {
    const { shape, dtype, device, strides } = input;
    const standIn = new Tensor(shape, dtype, { strides, device });
    standIn.isRowMajor = input.isRowMajor;
    return standIn;
}

/** A row-major tensor with the elements of x; recorded, since it runs inside the step. */
function rowMajor(x: Tensor): Tensor {
    if (x.isContiguous) return x;
    const copy = new Tensor(x.shape, x.dtype);
    run('contiguous', [x], [copy]);
    return copy;
}

/** A handle of the program's own to the memory of a gradient, which the user may dispose of. */
function anchorOf(gradient: Tensor): Tensor {
    return keep(viewOf(gradient, gradient.shape, gradient.strides));
}

/** Gradients that the step made and left on leaves: all of them, or those that its next call looks at. */
function keptGradients(tracer: ProgramTracer, all: boolean): { leaf: Tensor; gradient: Tensor }[] {
    return [...tracer.gradients.values()].flatMap(({ leaf, dependsOnBefore }) => {
        const gradient = leaf.storedGrad;
        return (all || dependsOnBefore) && gradient && !tracer.isFromOutside(gradient) && !gradient.isDisposed
            ? [{ leaf, gradient }]
            : [];
    });
}

/** Leaves that hold another gradient, or none, after the step. */
function changedGradients(tracer: ProgramTracer): Tensor[] {
    return [...tracer.gradients.values()]
        .filter(({ leaf, before }) => leaf.storedGrad !== before)
        .map(({ leaf }) => leaf);
}
