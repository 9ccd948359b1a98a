import { activeTracer, guard } from '../native/tracer.js';
import { activeWatcher } from '../native/watcher.js';
import { isFloat, type DType } from '../tensor/dtype.js';
import { shapeText, type Shape } from '../tensor/shape.js';
import type { Tensor, TapeLink } from '../tensor/tensor.js';
import type { RecomputedStretch } from './recompute.js';

/** Gradients of an op's inputs, in order; null where there is none. */
export type Gradients = readonly (Tensor | null)[];

/** What a backward function gets besides the gradients of its outputs. */
export interface BackwardContext<Options> {
    /** The tensors that forward saved, in order. */
    readonly saved: readonly Tensor[];
    readonly options: Options;
    /** For each input, whether its gradient is wanted. */
    readonly needs: readonly boolean[];
    /** Shapes of the inputs. */
    readonly shapes: readonly Shape[];
}

interface SavedTensor {
    readonly tensor: Tensor;
    readonly version: number;
    /** The tape alone holds it, so it is freed with the node. */
    readonly owned: boolean;
}

/** One input of a recorded op: the node that made it, or the leaf that collects its gradient. */
export interface Edge {
    readonly node: GradNode | null;
    readonly outputIndex: number;
    readonly leaf: Tensor | null;
    readonly shape: Shape;
    readonly dtype: DType;
}

/** The part of an op's definition that its nodes share. */
export interface BackwardRule {
    /** `isSingle`: forward gave one tensor, not a list. */
    readonly backward: (
        gradients: readonly (Tensor | null)[],
        context: BackwardContext<unknown>,
        isSingle: boolean,
    ) => Gradients;
    /** True when backward is written in recorded ops and can itself be differentiated. */
    readonly differentiable: boolean;
}

/** A gradient hook: may look at the gradient, or give another one in its place. */
export type GradientHook = (gradient: Tensor) => Tensor | undefined;

const leafHooks = new WeakMap<Tensor, GradientHook[]>();
let anyLeafHooks = false;

/** Hooks on leaves, which have no node to hold them; undefined where there are none. */
export function hooksOfLeaf(leaf: Tensor): readonly GradientHook[] | undefined {
    const hooks = presentHooks(leaf);
    if (activeTracer()) guardHooks(leaf, hooks ?? []);
    return hooks;
}

function presentHooks(leaf: Tensor): readonly GradientHook[] | undefined {
    return anyLeafHooks ? leafHooks.get(leaf) : undefined;
}

/** Ties a captured step to the hooks that a leaf has now. */
function guardHooks(leaf: Tensor, hooks: readonly GradientHook[]): void {
    const then = [...hooks];
    guard(
        () => {
            const now = presentHooks(leaf) ?? [];
            return now.length === then.length && now.every((hook, i) => hook === then[i]);
        },
        () => `a leaf of shape ${shapeText(leaf.shape)} has other hooks now`,
    );
}

/** The list that hooks of `leaf` are added to. */
export function openLeafHooks(leaf: Tensor): GradientHook[] {
    anyLeafHooks = true;
    let hooks = leafHooks.get(leaf);
    if (!hooks) leafHooks.set(leaf, (hooks = []));
    return hooks;
}

let created = 0;

/** Lists that every new node joins. */
const recorders: GradNode[][] = [];

/** @internal Runs `body` and gives the nodes that it put on the tape, in their order. */
export function recordNodes<T>(body: () => T): { readonly result: T; readonly nodes: GradNode[] } {
    const nodes: GradNode[] = [];
    recorders.push(nodes);
    try {
        return { result: body(), nodes };
    } finally {
        recorders.splice(recorders.indexOf(nodes), 1);
    }
}

/** A recorded op. Nodes are numbered in the order of recording, which is a topological order of every graph. */
export class GradNode implements TapeLink {
    readonly sequence = created++;
    readonly hooks: (GradientHook[] | undefined)[] = [];
    /** Outputs that asked for their gradient to be kept. */
    readonly retained: (Tensor | undefined)[] = [];
    readonly outputs: { readonly shape: Shape; readonly dtype: DType }[] = [];
    private saved: SavedTensor[] | null = [];
    /** Where what it saved can be computed again. */
    stretch: RecomputedStretch | null = null;
    private isForgotten = false;

    constructor(
        readonly op: string,
        readonly edges: readonly (Edge | null)[],
        readonly shapes: readonly Shape[],
        readonly options: unknown,
        private readonly rule: BackwardRule,
        private readonly isSingle: boolean,
    ) {
        if (recorders.length > 0) for (const nodes of recorders) nodes.push(this);
        activeWatcher()?.onNode(this);
    }

    get differentiable(): boolean {
        return this.rule.differentiable;
    }

    backward(gradients: readonly (Tensor | null)[], context: BackwardContext<unknown>): Gradients {
        return this.rule.backward(gradients, context, this.isSingle);
    }

    /** Ties the next output of the op to this node. */
    addOutput(output: Tensor): void {
        const index = this.outputs.push({ shape: output.shape, dtype: output.dtype }) - 1;
        if (!isFloat(output.dtype)) return;
        output.tapeLink = this;
        output.outputIndex = index;
        output.needsGrad = true;
    }

    save(tensor: Tensor, owned: boolean): void {
        this.saved?.push({ tensor, version: tensor.version.value, owned });
    }

    /** The saved tensors; an error when one was changed in place or freed since. */
    unpack(): Tensor[] {
        // A stretch inside of another is filled in two steps.
        while (this.isForgotten) this.stretch?.restore();
        if (this.saved === null) {
            throw new Error(
                `[backward] the graph through ${this.op} was already used and freed; ` +
                    'make the first pass with backward(undefined, { retainGraph: true })',
            );
        }
        const tensors: Tensor[] = [];
        for (const { tensor, version } of this.saved) {
            if (tensor.isDisposed) {
                throw new Error(
                    `[backward] a tensor of shape [${tensor.shape.join(', ')}] that ${this.op} needs was disposed before ` +
                        'backward(); call backward() inside the scope() that made it, or keep() it',
                );
            }
            if (tensor.version.value !== version) {
                throw new Error(
                    `[backward] a tensor of shape [${tensor.shape.join(', ')}] that ${this.op} saved was changed in place ` +
                        `since (version ${version}, now ${tensor.version.value}); use the out-of-place op or clone() first`,
                );
            }
            tensors.push(tensor);
        }
        return tensors;
    }

    /** Lets go of what forward saved; what only the tape held is freed now. */
    release(): void {
        const saved = this.saved ?? [];
        for (const { tensor, owned } of saved) if (owned) tensor.dispose();
        if (!this.isForgotten) this.stretch?.release(saved.map(({ tensor }) => tensor));
        this.saved = null;
        this.isForgotten = false;
    }

    /** @internal Drops what forward saved: `stretch` computes it again where backward comes by. */
    forget(stretch: RecomputedStretch): void {
        this.stretch = stretch;
        this.saved = [];
        this.isForgotten = true;
    }

    /** @internal Takes what the same op of a second run has saved. */
    takeOver(twin: GradNode): void {
        // Released already, by a pass that did not need it.
        if (this.saved === null) return;
        this.saved = twin.saved;
        this.isForgotten = twin.isForgotten;
        if (!twin.stretch) return;
        this.stretch = twin.stretch;
        this.stretch.replace(twin, this);
    }

    /** Saved tensors, for a scope that ends while the graph lives on. */
    get savedTensors(): readonly Tensor[] {
        if (this.isForgotten) return this.stretch?.needed ?? [];
        return this.saved?.map(({ tensor }) => tensor) ?? [];
    }
}

/** The node that made `x`, if it was recorded. */
export function nodeOf(x: Tensor): GradNode | null {
    return x.tapeLink instanceof GradNode ? x.tapeLink : null;
}
