import { native } from '../../native/addon.js';
import type { TensorRecord } from '../../native/call.js';
import { activeTracer } from '../../native/tracer.js';
import type { Watcher } from '../../native/watcher.js';
import { dtypeCode, dtypes, itemSize } from '../../tensor/dtype.js';

/** When an op ran: in the forward of a layer, in a backward pass, or outside of both (losses, optimizers, data). */
export type Phase = 'forward' | 'backward' | 'outside';

/** One call of an op. */
export interface ProfileEvent {
    readonly op: string;
    readonly phase: Phase;
    /** Path of the innermost layer, after the class of the outermost one: `Net.features.0`; '' outside. */
    readonly layer: string;
    /** Milliseconds since the beginning of the profile. */
    readonly begin: number;
    readonly milliseconds: number;
    /** Of the tensors that the op made. */
    readonly bytes: number;
    /** Of all that it read and wrote, whole tensors. */
    readonly moved: number;
    /** Of its tensors, inputs first. */
    readonly shapes: readonly (readonly number[])[];
}

/** A forward of a layer, or the backward of an op. */
export interface Span {
    readonly name: string;
    readonly phase: Phase;
    readonly begin: number;
    readonly milliseconds: number;
}

const sizes = new Map(dtypes.map((dtype) => [dtypeCode(dtype), itemSize(dtype)]));

function bytesOf({ shape, dtypeCode: code }: TensorRecord): number {
    let elements = 1;
    for (const size of shape) elements *= size;
    return elements * (sizes.get(code) ?? 0);
}

/** Notes what runs while a profile is on. */
export class Recorder implements Watcher {
    readonly events: ProfileEvent[] = [];
    readonly spans: Span[] = [];
    /** How often the forward of each layer ran, in the order of their first call. */
    readonly calls = new Map<string, number>();
    private readonly start = performance.now();
    private readonly layers: string[] = [];
    /** The layer in whose forward each node was made. */
    private readonly layerOfNode = new WeakMap<object, string>();
    private readonly nodes: string[] = [];
    private milliseconds: number | null = null;

    now(): number {
        return performance.now();
    }

    /** Ends the measurement; the milliseconds since its beginning. */
    finish(): number {
        return (this.milliseconds ??= performance.now() - this.start);
    }

    onCall(
        op: string,
        inputs: readonly (TensorRecord | number)[],
        outputs: readonly TensorRecord[],
        begin: number,
    ): void {
        // It is recorded there, and nothing runs.
        if (activeTracer()) return;
        const tensors = [...inputs.filter((x) => typeof x !== 'number'), ...outputs];
        const device = tensors.find(({ deviceCode }) => deviceCode > 0)?.deviceCode ?? 0;
        if (device > 0) native.synchronize(device);
        const milliseconds = performance.now() - begin;
        const made = outputs.filter(({ id }) => id === 0);
        const total = (list: readonly TensorRecord[]): number => list.reduce((sum, x) => sum + bytesOf(x), 0);
        this.events.push({
            op,
            phase: this.phase,
            layer: this.layers.at(-1) ?? this.nodes.at(-1) ?? '',
            begin: begin - this.start,
            milliseconds,
            bytes: total(made),
            moved: total(tensors),
            shapes: tensors.map(({ shape }) => shape),
        });
    }

    private get phase(): Phase {
        if (this.nodes.length > 0) return 'backward';
        return this.layers.length > 0 ? 'forward' : 'outside';
    }

    onNode(node: object): void {
        const layer = this.layers.at(-1) ?? this.nodes.at(-1);
        if (layer !== undefined) this.layerOfNode.set(node, layer);
    }

    runNode<T>(node: object, op: string, body: () => T): T {
        return this.within(this.nodes, this.layerOfNode.get(node) ?? '', `${op} backward`, body);
    }

    runModule<T>(label: string, body: () => T): T {
        if (this.nodes.length === 0) this.calls.set(label, (this.calls.get(label) ?? 0) + 1);
        return this.within(this.layers, label, label, body);
    }

    private within<T>(stack: string[], entry: string, name: string, body: () => T): T {
        const begin = performance.now();
        stack.push(entry);
        const { phase } = this;
        try {
            return body();
        } finally {
            stack.pop();
            const milliseconds = performance.now() - begin;
            this.spans.push({ name, phase, begin: begin - this.start, milliseconds });
        }
    }
}
