import { CaptureError } from '../native/capture_error.js';
import { run } from '../native/call.js';
import { Scope, scope } from '../autograd/scope.js';
import { Breather } from '../support/breathe.js';
import { shapeText } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import type { CapturedProgram } from './captured_program.js';
import { largestDifference } from './differences.js';
import { differenceOfFused, type Copies, type Outcome } from './fused_outcome.js';
import { allAtOnce } from './rounding.js';
import { runTogetherAsync, type PreparedReplay } from './replays.js';
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

/**
 * One check: the program runs with the calls as recorded and, where there are any, with those that were put together; after
 * each, everything is taken back. Then the step itself runs, and what they computed is compared: results, every tensor that
 * was written, gradients. The state afterwards, and the result, are
 * those of a replay; where they disagree, those of the step itself.
 */
class Validation<Result> {
    private readonly scope = new Scope();
    private readonly before: Copies;
    /** What the leaves hold whose gradients replays replace. */
    private readonly gradientsBefore: readonly { readonly leaf: Tensor; readonly gradient: Tensor | null }[];
    private readonly restoreStates: () => void;
    private exact: Outcome | undefined;
    private fused: Outcome | undefined;
    /** The same numbers for both, since noting them moves counters on. */
    private readonly prepared: PreparedReplay;
    private readonly outputs: readonly Tensor[];

    constructor(
        private readonly program: CapturedProgram<Result>,
        inputs: readonly Tensor[],
    ) {
        this.restoreStates = program.saveStates();
        this.gradientsBefore = program.leafGradients.map(({ leaf }) => ({ leaf, gradient: leaf.storedGrad }));
        this.before = this.copies(program.written);
        this.outputs = this.newOutputs();
        this.prepared = program.prepare(1, inputs, this.outputs, false);
    }

    private newOutputs(): Tensor[] {
        return this.scope.run(() => this.program.newOutputs(1, false));
    }

    private copies(tensors: readonly Tensor[]): Copies {
        return this.scope.run(() => tensors.map((x) => [x, copyOf(x)] as const));
    }

    /** Notes what the program did, and takes it back. */
    private takeBack(results: readonly Tensor[]): Outcome {
        const { program, scope } = this;
        const written = this.copies(program.written);
        const gradients = program.leafGradients.map(({ leaf, gradient }) => {
            return [leaf, scope.run(() => copyOf(gradient))] as const;
        });
        for (const [x, copy] of this.before) run('copy', [copy], [x]);
        for (const { leaf, gradient } of this.gradientsBefore) {
            if (leaf.storedGrad === gradient) continue;
            leaf.storedGrad?.dispose();
            leaf.storedGrad = gradient;
        }
        return { results, written, gradients };
    }

    runNow(): void {
        const { program, prepared, outputs } = this;
        program.runExactly(prepared);
        this.exact = this.takeBack(outputs);
        if (program.isFused) {
            const fusedOutputs = this.newOutputs();
            const again = { ...prepared, outputs: fusedOutputs };
            program.runNow(again);
            this.fused = this.takeBack(fusedOutputs);
        }
        this.restoreStates();
    }

    async runInBackground(): Promise<void> {
        const { program, prepared, outputs } = this;
        await program.runExactlyAsync(prepared);
        this.exact = this.takeBack(outputs);
        if (program.isFused) {
            const fusedOutputs = this.newOutputs();
            const again = { ...prepared, outputs: fusedOutputs };
            await runTogetherAsync([{ program, prepared: again }]);
            this.fused = this.takeBack(fusedOutputs);
        }
        this.restoreStates();
    }

    /**
     * The step's own result, if the program has come to the same. What others may change is read before the first pause.
     *
     * @throws CaptureMismatchError for the first tensor that differs.
     */
    *compare(result: Result): Generator<void, Result> {
        this.keepAccumulated(tensorsOf(result));
        const changed = this.exact && differenceFromStep(this.exact, tensorsOf(result));
        if (changed !== undefined)
            throw new CaptureMismatchError(
                `[capture] the step and its captured program disagree: ${changed}; the step depends on JavaScript that ` +
                    'changes from call to call: pass it in as a 0-d tensor, or call the step itself',
                result,
            );
        const fused = yield* this.differenceOfFused();
        if (fused !== undefined)
            throw new CaptureMismatchError(
                `[capture] fused calls differ from the step by more than they may: ${fused}; capture it with fuse: false, ` +
                    'and please report the step',
                result,
            );
        this.keepFused(tensorsOf(result));
        this.program.dropGradients();
        return result;
    }

    /** The step has left sums in new tensors, where the program adds in place: both leave the same tensor. */
    private keepAccumulated(results: readonly Tensor[]): void {
        for (const { leaf, before } of this.program.accumulated) {
            const sum = leaf.storedGrad;
            if (!sum || sum === before || before.isDisposed || results.includes(sum)) continue;
            run('copy', [sum], [before]);
            before.version.value++;
            sum.dispose();
            leaf.storedGrad = before;
        }
    }

    /** Leaves the bits of a replay, so that a check, or none, changes none of what comes after. */
    private keepFused(results: readonly Tensor[]): void {
        if (!this.fused) return;
        const { results: outputs, written, gradients } = this.fused;
        for (const [x, copy] of written) run('copy', [copy], [x]);
        for (const [i, x] of results.entries())
            if (outputs[i] && x.isContiguous) run('copy', [outputs[i]], [x]);
        for (const [{ storedGrad }, copy] of gradients)
            if (storedGrad && !storedGrad.isDisposed) run('copy', [copy], [storedGrad]);
    }

    private *differenceOfFused(): Generator<void, string | undefined> {
        const { program, exact, fused, before } = this;
        if (!exact || !fused) return undefined;
        const gradients = new Map(
            program.leaves.flatMap((leaf) => {
                const { storedGrad } = leaf;
                return storedGrad && !storedGrad.isDisposed
                    ? [[leaf, this.scope.run(() => copyOf(storedGrad))] as const]
                    : [];
            }),
        );
        return yield* differenceOfFused(program, { exact, fused, before, gradients });
    }

    dispose(): void {
        this.scope.dispose();
    }
}

/** What the calls as recorded have computed against what the step has. */
function differenceFromStep(exact: Outcome, direct: readonly Tensor[]): string | undefined {
    return (
        firstOf(exact.results, (x, i) => difference(`result ${i}`, x, direct[i] ?? null)) ??
        firstOf(exact.written, ([x, copy]) => difference('a tensor that it writes', copy, x)) ??
        firstOf(exact.gradients, ([leaf, copy]) => difference('a gradient', copy, leaf.storedGrad))
    );
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
        validation.runNow();
        return allAtOnce(validation.compare(scope(step)));
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
    const breather = new Breather();
    const validation = new Validation(program, inputs);
    try {
        await validation.runInBackground();
        const parts = validation.compare(await step());
        for (;;) {
            const part = parts.next();
            if (part.done) return part.value;
            await breather.breatheIfDue();
        }
    } finally {
        validation.dispose();
    }
}
