import type { NativeProgram } from '../native/addon.js';
import { run } from '../native/call.js';
import { CaptureError } from '../native/capture_error.js';
import {
    abortRecording,
    beginRecording,
    checkReplay,
    endRecording,
    joinPrograms,
    programCalls,
    programSize,
    reorderedSums,
    replay,
    replayAsync,
    stepsDoneBefore,
    timed,
    type ProgramCall,
    type ProgramSize,
    type Replay,
} from '../native/program.js';
import { exchangeTracer } from '../native/tracer.js';
import { Scope } from '../autograd/scope.js';
import type { Device } from '../tensor/device.js';
import type { DType } from '../tensor/dtype.js';
import { keep } from '../tensor/lifetime.js';
import { shapeText, type Shape } from '../tensor/shape.js';
import { Tensor, viewOf } from '../tensor/tensor.js';
import { ProgramTracer } from './program_tracer.js';
import { replaceTensors, tensorsOf } from './results.js';

/** A tensor from outside that a program uses, as it was when the step was captured. */
interface Known {
    readonly tensor: Tensor;
    readonly id: number;
    readonly needsGrad: boolean;
}

/** What a leaf's gradient is after each replay. `anchor` holds its memory. */
interface GradientEffect {
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

/** One replay, or several in a row, ready to go. */
export interface PreparedReplay extends Replay {
    /** Brings back the JavaScript state from before the steps. */
    readonly restore: () => void;
    /** Does the JavaScript part of the first `count` steps. */
    readonly act: (count: number) => void;
}

type FormOf = (program: CapturedProgram<unknown>) => NativeProgram;

/** A program and what it is to run. */
export interface ProgramRun {
    readonly program: CapturedProgram<unknown>;
    readonly prepared: PreparedReplay;
}

function callTexts(program: NativeProgram): string[] {
    return programCalls(program).map(({ op, shapes }) => `${op} ${shapes}`);
}

/** What the step gets in place of an input: a tensor of its own with the same layout. */
function standInFor(input: Tensor): Tensor {
    const { shape, dtype, device, strides } = input;
    const standIn = new Tensor(shape, dtype, { strides, device });
    standIn.isRowMajor = input.isRowMajor;
    return standIn;
}

function changeOfTensor(x: Tensor, neededGrad: boolean): string {
    if (x.isDisposed) return `a tensor of shape ${shapeText(x.shape)} that it uses was disposed`;
    const what = `a tensor of shape ${shapeText(x.shape)} that it uses`;
    if (x.needsGrad !== neededGrad)
        return `${what} ${neededGrad ? 'requires no gradient any more' : 'requires a gradient now'}`;
    return `${what} has other memory now`;
}

function changeOfGradient({ shape, storedGrad }: Tensor, before: Tensor | null): string {
    const now = storedGrad === null ? 'no gradient' : before === null ? 'a gradient' : 'another gradient';
    return `a parameter of shape ${shapeText(shape)} has ${now} before the step now`;
}

/** A row-major tensor with the elements of x; recorded, since it runs inside the step. */
function rowMajor(x: Tensor): Tensor {
    if (x.isContiguous) return x;
    const copy = new Tensor(x.shape, x.dtype);
    run('contiguous', [x], [copy]);
    return copy;
}

/** One captured form of a step: what to do before each replay, and when it may be used. */
export class CapturedProgram<Result> {
    private readonly known: readonly Known[];
    /** Tensors from outside that the step changes. */
    readonly written: readonly Tensor[];
    /** Version counters stand for memory: views share that of their base. */
    private readonly writtenMemory: ReadonlySet<Tensor['version']>;
    private readonly gradientMemory: ReadonlySet<Tensor['version']>;
    private readonly gradientsBefore: readonly { readonly leaf: Tensor; readonly before: Tensor | null }[];
    private readonly resultTypes: readonly Pick<Tensor, 'shape' | 'dtype' | 'device'>[];

    private constructor(
        /** The calls as recorded, for checks, and those that replays run. */
        private exact: NativeProgram | null,
        private readonly native: NativeProgram,
        private readonly tracer: ProgramTracer,
        private readonly structure: Result,
        private readonly effects: readonly GradientEffect[],
        /** An input of the capture shared memory with what the step writes. */
        private readonly sharesInputs: boolean,
    ) {
        this.known = [...tracer.outside].map((tensor) => ({
            tensor,
            id: tensor.id,
            needsGrad: tensor.needsGrad,
        }));
        this.written = tracer.written;
        this.writtenMemory = new Set(this.written.map(({ version }) => version));
        this.gradientMemory = new Set(effects.flatMap(({ anchor }) => (anchor ? [anchor.version] : [])));
        this.gradientsBefore = [...tracer.gradients.values()].filter(
            ({ dependsOnBefore }) => dependsOnBefore,
        );
        this.resultTypes = tensorsOf(structure).map(({ shape, dtype, device }) => ({ shape, dtype, device }));
    }

    /**
     * Runs `step` without executing it, and makes a program of what it would do, with fused calls where `fuse` is set; then
     * `exact` asks for one with the calls as they are beside it.
     */
    static record<Result>(
        step: (...inputs: Tensor[]) => Result,
        inputs: readonly Tensor[],
        { fuse, gradients }: RecordingOptions,
        exact: boolean,
    ): CapturedProgram<Result> {
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
            return new CapturedProgram(calls, last, tracer, structure, effects, sharesInputs);
        } finally {
            exchangeTracer(outer);
            if (!isDone) {
                abortRecording();
                tracer.undo();
            }
            scope.dispose();
        }
    }

    /** What has changed, so that the step would do something else now; undefined where nothing has. */
    get change(): string | undefined {
        for (const { tensor, id, needsGrad } of this.known)
            if (tensor.id !== id || tensor.needsGrad !== needsGrad) return changeOfTensor(tensor, needsGrad);
        for (const { leaf, before } of this.gradientsBefore)
            if (leaf.storedGrad !== before) return changeOfGradient(leaf, before);
        for (const { holds, change } of this.tracer.guards) if (!holds()) return change();
        return undefined;
    }

    /**
     * Why it cannot take these inputs. They must share memory with what the step writes exactly if those of the capture did:
     * calls are put together only where they do not. Gradients of an earlier replay are never fit, since the next one
     * overwrites them.
     */
    misfit(inputs: readonly Tensor[]): string | undefined {
        const shares = inputs.some(({ version }) => this.writtenMemory.has(version));
        if (shares !== this.sharesInputs)
            return `${shares ? 'an' : 'no'} input shares memory with what the step writes now`;
        return inputs.some(({ version }) => this.gradientMemory.has(version))
            ? 'an input is a gradient that the step overwrites'
            : undefined;
    }

    /** Gradients that the step leaves on leaves. */
    get leafGradients(): { readonly leaf: Tensor; readonly gradient: Tensor }[] {
        return this.effects.flatMap(({ leaf, anchor }) => (anchor ? [{ leaf, gradient: anchor }] : []));
    }

    /** Gradients from before the step that it adds to; a program does so in place. */
    get accumulated(): { readonly leaf: Tensor; readonly before: Tensor }[] {
        const replaced = new Set(this.effects.map(({ leaf }) => leaf));
        return this.gradientsBefore.flatMap(({ leaf, before }) =>
            before && !replaced.has(leaf) ? [{ leaf, before }] : [],
        );
    }

    /** Notes the JavaScript state that the step changes; the function that it returns brings it back. */
    saveStates(): () => void {
        const restores = [...this.tracer.states].map((state) => state.saveState());
        return () => {
            for (const restore of restores) restore();
        };
    }

    /** Leaves whose gradients the step computes. */
    get leaves(): Tensor[] {
        return [...this.tracer.gradients.keys()];
    }

    /** What optimizers keep for a parameter. */
    statesOf(parameter: Tensor): Tensor[] {
        return [...this.tracer.states]
            .flatMap((state) => state.tensorsOf?.(parameter) ?? [])
            .filter((record) => record instanceof Tensor);
    }

    /** Whether fused calls add up in another order on the way to the results, these tensors, and the gradients. */
    reordered(written: readonly Tensor[]): Record<'results' | 'written' | 'gradients', readonly boolean[]> {
        const gradients = this.leafGradients.map(({ gradient }) => gradient);
        const marks = reorderedSums(this.native, this.resultTypes.length, [...written, ...gradients]);
        return {
            results: marks.results,
            written: marks.tensors.slice(0, written.length),
            gradients: marks.tensors.slice(written.length),
        };
    }

    get size(): ProgramSize {
        return programSize(this.native);
    }

    /** Tensors for the results of `steps` steps; stacked ones have an axis in front, an entry a step. */
    newOutputs(steps: number, stacked: boolean): Tensor[] {
        return this.resultTypes.map(({ shape, dtype, device }) =>
            newTensor(stacked ? [steps, ...shape] : shape, dtype, device),
        );
    }

    /** Does the JavaScript part of the steps; where that throws, nothing has changed. */
    prepare(
        steps: number,
        inputs: readonly Tensor[],
        outputs: readonly Tensor[],
        stacked: boolean,
    ): PreparedReplay {
        const { actions, slots } = this.tracer;
        const rows = new Float64Array(steps * slots.length);
        // Before the actions: a call that is refused changes nothing.
        checkReplay([{ program: this.native, replay: { steps, rows, inputs, outputs, stacked } }]);
        const restore = this.saveStates();
        const act = (count: number): void => {
            for (let step = 0, place = 0; step < count; step++) {
                for (const action of actions) action();
                for (const { slot } of slots) rows[place++] = slot.value;
            }
        };
        try {
            act(steps);
        } catch (error) {
            restore();
            throw error;
        }
        for (const tensor of this.written) tensor.version.value++;
        return { steps, rows, inputs, outputs, stacked, restore, act };
    }

    /** Prepares programs to run side by side: all of them, or none where one throws. */
    static prepareTogether(parts: readonly (() => ProgramRun)[]): ProgramRun[] {
        const runs: ProgramRun[] = [];
        try {
            for (const part of parts) runs.push(part());
        } catch (error) {
            goBack(runs, []);
            throw error;
        }
        return runs;
    }

    runNow(prepared: PreparedReplay): void {
        CapturedProgram.runTogether([{ program: this, prepared }]);
    }

    /** Runs programs side by side. After an error the JavaScript state is that of the whole steps of each. */
    static runTogether(runs: readonly ProgramRun[]): void {
        CapturedProgram.replayNow(runs, ({ native }) => native);
    }

    static async runTogetherAsync(runs: readonly ProgramRun[]): Promise<void> {
        await CapturedProgram.replayLater(runs, ({ native }) => native);
    }

    /** Dtypes of what the step computes. */
    get dtypes(): ReadonlySet<DType> {
        return this.tracer.dtypes;
    }

    /** Replays run other calls than those that were recorded, and those are still there. */
    get isFused(): boolean {
        return this.exact !== null;
    }

    /** As `runNow`, with the calls as they were recorded. */
    runExactly(prepared: PreparedReplay): void {
        CapturedProgram.replayNow([{ program: this, prepared }], ({ exact, native }) => exact ?? native);
    }

    async runExactlyAsync(prepared: PreparedReplay): Promise<void> {
        await CapturedProgram.replayLater(
            [{ program: this, prepared }],
            ({ exact, native }) => exact ?? native,
        );
    }

    private static replayNow(runs: readonly ProgramRun[], form: FormOf): void {
        try {
            replay(runs.map(({ program, prepared }) => ({ program: form(program), replay: prepared })));
        } catch (error) {
            goBack(runs, stepsDoneBefore(error));
            throw error;
        }
        for (const { program } of runs) program.applyEffects();
    }

    private static async replayLater(runs: readonly ProgramRun[], form: FormOf): Promise<void> {
        try {
            const done = replayAsync(
                runs.map(({ program, prepared }) => ({ program: form(program), replay: prepared })),
            );
            for (const { program } of runs) program.applyEffects();
            await done;
        } catch (error) {
            goBack(runs, stepsDoneBefore(error));
            throw error;
        }
    }

    /**
     * Prepares programs of models of one kind for `runTogether`; returns how many groups of them can run at once.
     *
     * @throws CaptureError where they are not of one kind; Error where one writes what another uses.
     */
    static join(programs: readonly CapturedProgram<unknown>[]): number {
        const [first] = programs.map(({ native }) => callTexts(native));
        programs.forEach(({ native }, model) => {
            const calls = callTexts(native);
            const length = Math.max(calls.length, first?.length ?? 0);
            for (let i = 0; i < length; i++) {
                if (calls[i] === first?.[i]) continue;
                throw new CaptureError(
                    `[captureModels] the steps differ: call ${i} is ${first?.[i] ?? 'missing'} for model 0, ` +
                        `${calls[i] ?? 'missing'} for model ${model}; models that are trained together have the same layers, ` +
                        'loss and kind of optimizer',
                );
            }
        });
        return joinPrograms(programs.map(({ native }) => native));
    }

    /** Gives up the program with the calls as recorded, once no check is to come. */
    dropExact(): void {
        this.exact = null;
    }

    /** Runs the prepared steps and says what each call took. */
    profile(prepared: PreparedReplay): ProgramCall[] {
        return timed(this.native, () => {
            this.runNow(prepared);
            return programCalls(this.native, prepared.steps);
        });
    }

    /** The step's result with these tensors in it. */
    resultOf(outputs: readonly Tensor[]): Result {
        return replaceTensors(this.structure, outputs[Symbol.iterator]());
    }

    /** Takes the gradients away that replays do not leave, where the step itself has run. */
    dropGradients(): void {
        for (const { leaf, anchor } of this.effects) {
            if (anchor) continue;
            leaf.storedGrad?.dispose();
            leaf.storedGrad = null;
        }
    }

    /** Leaves gradients as the step does, or none. */
    private applyEffects(): void {
        this.dropGradients();
        for (const { leaf, anchor } of this.effects) {
            const present = leaf.storedGrad;
            if (!anchor) continue;
            if (present === null || present.isDisposed || present.version !== anchor.version) {
                leaf.storedGrad = keep(viewOf(anchor, anchor.shape, anchor.strides));
            }
            anchor.version.value++;
        }
    }
}

/**
 * Brings the JavaScript state to where it is after so many steps of each. The last ones first: what several programs share
 * (the default generator) was noted first by the first of them.
 */
function goBack(runs: readonly ProgramRun[], stepsDone: readonly number[]): void {
    for (const { prepared } of [...runs].reverse()) prepared.restore();
    runs.forEach(({ prepared }, i) => prepared.act(stepsDone[i] ?? 0));
}

/** A tensor with memory whose elements do not matter yet. */
function newTensor(shape: Shape, dtype: DType, device: Device): Tensor {
    const x = new Tensor(shape, dtype, { device });
    run('fill', [], [x], [0]);
    return x;
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
