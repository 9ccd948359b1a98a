import type { NativeProgram } from '../native/addon.js';
import { run } from '../native/call.js';
import {
    checkReplay,
    programCalls,
    programExecution,
    programSize,
    reorderedSums,
    timed,
    type ProgramCall,
    type ProgramSize,
} from '../native/program.js';
import type { Device } from '../tensor/device.js';
import type { DType } from '../tensor/dtype.js';
import { keep } from '../tensor/lifetime.js';
import type { Shape } from '../tensor/shape.js';
import { Tensor, viewOf } from '../tensor/tensor.js';
import type { ProgramTracer } from './program_tracer.js';
import type { GradientEffect, RecordedStep } from './record_step.js';
import { runTogether, runTogetherAsync, type PreparedReplay, type Replayable } from './replays.js';
import { replaceTensors, tensorsOf } from './results.js';
import { Surroundings } from './surroundings.js';

/** One captured form of a step: what to do before each replay, and when it may be used. */
export class CapturedProgram<Result> implements Replayable {
    private readonly surroundings: Surroundings;
    /** Tensors from outside that the step changes. */
    readonly written: readonly Tensor[];
    /** Version counters stand for memory: views share that of their base. */
    private readonly writtenMemory: ReadonlySet<Tensor['version']>;
    private readonly gradientMemory: ReadonlySet<Tensor['version']>;
    private readonly resultTypes: readonly Pick<Tensor, 'shape' | 'dtype' | 'device'>[];

    /** The calls as recorded, for checks, and those that replays run. */
    private exact: NativeProgram | null;
    private readonly native: NativeProgram;
    private readonly tracer: ProgramTracer;
    private readonly structure: Result;
    private readonly effects: readonly GradientEffect[];
    private readonly sharesInputs: boolean;

    constructor({ exact, native, tracer, structure, effects, sharesInputs }: RecordedStep<Result>) {
        this.exact = exact;
        this.native = native;
        this.tracer = tracer;
        this.structure = structure;
        this.effects = effects;
        this.sharesInputs = sharesInputs;
        this.surroundings = new Surroundings(tracer);
        this.written = tracer.written;
        this.writtenMemory = new Set(this.written.map(({ version }) => version));
        this.gradientMemory = new Set(effects.flatMap(({ anchor }) => (anchor ? [anchor.version] : [])));
        this.resultTypes = tensorsOf(structure).map(({ shape, dtype, device }) => ({ shape, dtype, device }));
    }

    /** What has changed, so that the step would do something else now; undefined where nothing has. */
    get change(): string | undefined {
        return this.surroundings.change;
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
        return this.surroundings.gradientsBefore.flatMap(({ leaf, before }) =>
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

    /** How replays run on the device. */
    get execution(): string {
        return programExecution(this.native);
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

    runNow(prepared: PreparedReplay): void {
        runTogether([{ program: this, prepared }]);
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
        runTogether([{ program: this, prepared }], true);
    }

    async runExactlyAsync(prepared: PreparedReplay): Promise<void> {
        await runTogetherAsync([{ program: this, prepared }], true);
    }

    /** The native program that replays run, or the one with the calls as recorded while that is there. */
    calls(asRecorded: boolean): NativeProgram {
        return asRecorded ? (this.exact ?? this.native) : this.native;
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
    applyEffects(): void {
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

/** A tensor with memory whose elements do not matter yet. */
function newTensor(shape: Shape, dtype: DType, device: Device): Tensor {
    const x = new Tensor(shape, dtype, { device });
    run('fill', [], [x], [0]);
    return x;
}
