import type { TensorRecord } from '../native/call.js';
import type { Guard, SlotValue, StepState, Tracer } from '../native/tracer.js';
import type { DType } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';

/** The gradient of a leaf around a captured step. */
export interface GradientChange {
    readonly leaf: Tensor;
    /** What the leaf held before the step. */
    readonly before: Tensor | null;
    /** The step looked at it, so the program holds for this gradient only. */
    dependsOnBefore: boolean;
}

/** Notes what a step does outside the op calls that the native recorder writes down. */
export class ProgramTracer implements Tracer {
    readonly actions: (() => void)[] = [];
    /** What the actions change. */
    readonly states = new Set<StepState>();
    readonly guards: Guard[] = [];
    readonly slots: { readonly slot: SlotValue; readonly index: number }[] = [];
    /** Tensors from outside that the step reads or writes. */
    readonly outside = new Set<Tensor>();
    /** The version counters, one for each storage, of what it writes in place: tensors from outside, views of them, its own. */
    private readonly writtenVersions = new Set<Tensor['version']>();
    readonly gradients = new Map<Tensor, GradientChange>();
    readonly discarded: { dispose(): void }[] = [];
    private readonly created = new Set<TensorRecord>();
    /** What tensors from outside are, where a module has said so. */
    readonly names = new Map<TensorRecord, string>();
    /** Of what the step has made. */
    readonly dtypes = new Set<DType>();

    constructor(private readonly inputs: readonly Tensor[]) {}

    addAction(action: () => void, state?: StepState): void {
        this.actions.push(action);
        if (state) this.states.add(state);
    }

    addGuard(guard: Guard): void {
        this.guards.push(guard);
    }

    bindSlot(slot: SlotValue, index: number): void {
        this.slots.push({ slot, index });
    }

    onCall(inputs: readonly (TensorRecord | number)[], written: readonly TensorRecord[]): void {
        for (const input of inputs) this.note(input);
        for (const output of written) {
            this.note(output);
            if (output instanceof Tensor) this.writtenVersions.add(output.version);
        }
    }

    /** Tensors from outside whose memory the step writes. */
    get written(): Tensor[] {
        return [...this.outside].filter(({ version }) => this.writtenVersions.has(version));
    }

    private note(record: TensorRecord | number): void {
        if (record instanceof Tensor && this.isFromOutside(record)) this.outside.add(record);
    }

    onCreated(record: TensorRecord): void {
        this.created.add(record);
        if (record instanceof Tensor) this.dtypes.add(record.dtype);
    }

    isFromOutside(record: TensorRecord): boolean {
        return !this.created.has(record) && !this.inputs.some((input) => input === record);
    }

    onGradientRead(leaf: TensorRecord): void {
        if (!(leaf instanceof Tensor) || this.created.has(leaf) || this.gradients.has(leaf)) return;
        this.gradients.set(leaf, { leaf, before: leaf.storedGrad, dependsOnBefore: true });
    }

    onGradientSet(leaf: TensorRecord): void {
        if (!(leaf instanceof Tensor) || this.created.has(leaf) || this.gradients.has(leaf)) return;
        this.gradients.set(leaf, { leaf, before: leaf.storedGrad, dependsOnBefore: false });
    }

    nameTensor(record: TensorRecord, name: string): void {
        if (!this.names.has(record)) this.names.set(record, name);
    }

    discard(tensor: { dispose(): void }): void {
        this.discarded.push(tensor);
    }

    /** Takes back what the step did to gradients, after it failed. */
    undo(): void {
        for (const { leaf, before } of this.gradients.values()) leaf.storedGrad = before;
    }

    /** Leaves hold what they did before the step, which has not run yet; what it has freed is gone. */
    takeBackGradients(): void {
        for (const { leaf, before } of this.gradients.values()) {
            if (leaf.storedGrad === before) continue;
            leaf.storedGrad?.dispose();
            leaf.storedGrad = before?.isDisposed ? null : before;
        }
    }
}
