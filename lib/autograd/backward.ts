import { activeWatcher, type Watcher } from '../native/watcher.js';
import { currentScope, enterScope, keep, leaveScope, type ScopeMembers } from '../tensor/lifetime.js';
import { sameShape, shapeText } from '../tensor/shape.js';
import { describeValue } from '../support/describe_value.js';
import { noTensor, requireTensor } from '../tensor/require_tensor.js';
import { Tensor } from '../tensor/tensor.js';
import { checkBackward } from './anomaly.js';
import { exchangeAutocast } from './autocast.js';
import { exchangeGradMode, withGradMode } from './grad_mode.js';
import {
    hooksOfLeaf,
    nodeOf,
    type BackwardContext,
    type Edge,
    type GradientHook,
    type GradNode,
} from './node.js';
import { tapeServices } from './services.js';

export interface BackwardOptions {
    /** Keep what the graph saved, for another backward pass. Default: the value of `createGraph`. */
    retainGraph?: boolean;
    /** Record the backward pass itself, so that gradients can be differentiated again. */
    createGraph?: boolean;
}

/** Every node from which the roots were made, newest first. */
function reachableNodes(roots: readonly GradNode[]): GradNode[] {
    const seen = new Set<GradNode>(roots);
    const pending = [...roots];
    for (let node = pending.pop(); node; node = pending.pop()) {
        for (const edge of node.edges) {
            if (edge?.node && !seen.has(edge.node)) {
                seen.add(edge.node);
                pending.push(edge.node);
            }
        }
    }
    return [...seen].sort(newestFirst);
}

function newestFirst(a: GradNode, b: GradNode): number {
    return b.sequence - a.sequence;
}

function isTensor(x: Tensor | null): x is Tensor {
    return x !== null;
}

function isWanted(edge: Edge | null): boolean {
    return edge !== null;
}

/** How often x stands in the list. */
function occurrences(list: readonly (Tensor | null)[], x: Tensor): number {
    let count = 0;
    for (const item of list) if (item === x) count++;
    return count;
}

/** Gradients on their way: one slot per output of each node, with the number of places that hold each tensor. */
class PendingGradients {
    private readonly slots = new Map<GradNode, (Tensor | null)[]>();
    private readonly holders = new Map<Tensor, number>();
    /** Gradients that wait for the end of the pass, when the hooks of their leaves see them. */
    readonly hookedLeaves = new Map<Tensor, Tensor>();
    /** Made by this pass and seen by nobody else, so that it may be freed or changed. */
    readonly owned = new Set<Tensor>();

    constructor(private readonly createGraph: boolean) {}

    hold(x: Tensor): void {
        this.holders.set(x, (this.holders.get(x) ?? 0) + 1);
    }

    release(x: Tensor): void {
        const left = (this.holders.get(x) ?? 1) - 1;
        if (left > 0) {
            this.holders.set(x, left);
            return;
        }
        this.holders.delete(x);
        if (this.owned.delete(x)) x.dispose();
    }

    add(node: GradNode, index: number, gradient: Tensor): void {
        let slot = this.slots.get(node);
        if (!slot) this.slots.set(node, (slot = new Array<Tensor | null>(node.outputs.length).fill(null)));
        slot[index] = this.joined(slot[index], gradient);
    }

    /** As `add`, for a leaf with hooks: they see the sum of all that this pass brings it. */
    addLeaf(leaf: Tensor, gradient: Tensor): void {
        this.hookedLeaves.set(leaf, this.joined(this.hookedLeaves.get(leaf), gradient));
    }

    private joined(present: Tensor | null | undefined, gradient: Tensor): Tensor {
        this.hold(gradient);
        if (!present) return gradient;
        const sum = this.make(() => tapeServices().add(present, gradient));
        this.hold(sum);
        this.release(present);
        this.release(gradient);
        return sum;
    }

    /** True when a leaf may take x as its gradient: no more than these hold it, and no other tensor shares its storage. */
    isExclusive(x: Tensor, holders: number): boolean {
        return this.owned.has(x) && !x.isView && (this.holders.get(x) ?? 0) <= holders;
    }

    take(node: GradNode): (Tensor | null)[] | undefined {
        const slot = this.slots.get(node);
        this.slots.delete(node);
        return slot;
    }

    /** Runs `body`; unless the pass is recorded, its result is owned and whatever else it made is freed. */
    make(body: () => Tensor): Tensor {
        const [result] = this.makeAll(() => [body()]);
        if (!result) throw new Error('[backward] a tape service made nothing');
        return result;
    }

    private makeAll(body: () => readonly (Tensor | null)[]): readonly (Tensor | null)[] {
        if (this.createGraph) return withGradMode(true, body);
        const made: ScopeMembers = new Set();
        enterScope(made);
        let results: readonly (Tensor | null)[];
        try {
            results = withGradMode(false, body);
        } finally {
            leaveScope(made);
        }
        this.own(results, made);
        return results;
    }

    /** As `make`, for the backward function of a node; without a closure, since every op of every step comes here. */
    runNode(
        node: GradNode,
        gradients: readonly (Tensor | null)[],
        context: BackwardContext<unknown>,
    ): readonly (Tensor | null)[] {
        const made: ScopeMembers | null = this.createGraph ? null : new Set();
        if (made) enterScope(made);
        const mode = exchangeGradMode(this.createGraph);
        const precision = exchangeAutocast(null);
        let results: readonly (Tensor | null)[];
        try {
            results = node.backward(gradients, context);
            requireGradients(node, results);
        } finally {
            exchangeAutocast(precision);
            exchangeGradMode(mode);
            if (made) leaveScope(made);
        }
        if (made) this.own(results, made);
        return results;
    }

    /** Takes over the results among what was made, and frees the rest. */
    private own(results: readonly (Tensor | null)[], made: ScopeMembers): void {
        for (const item of made) {
            if (!(results as readonly unknown[]).includes(item)) item.dispose();
        }
        // Owned ones stay in the caller's scope, should the pass fail half-way.
        for (const x of results) {
            if (x && made.has(x)) {
                this.owned.add(x);
                currentScope()?.add(x);
            }
        }
    }

    /** Frees what is left of a pass that failed. */
    abandon(): void {
        for (const x of this.owned) x.dispose();
        this.owned.clear();
    }
}

/** Brings a gradient to the shape and dtype of the input that it belongs to. */
function fit(pending: PendingGradients, op: string, gradient: Tensor, edge: Edge, input: number): Tensor {
    let result = gradient;
    if (!sameShape(result.shape, edge.shape)) {
        const broadcast =
            result.rank >= edge.shape.length &&
            edge.shape.every(
                (size, axis) => size === 1 || size === result.shape[axis + result.rank - edge.shape.length],
            );
        if (!broadcast) {
            throw new Error(
                `[${op}] backward gave input ${input} a gradient of shape ${shapeText(result.shape)}, ` +
                    `expected ${shapeText(edge.shape)}`,
            );
        }
        const source = result;
        result = pending.make(() => tapeServices().sumTo(source, edge.shape));
    }
    if (result.dtype !== edge.dtype) {
        const source = result;
        result = pending.make(() => tapeServices().cast(source, edge.dtype));
    }
    if (result !== gradient) {
        pending.hold(gradient);
        pending.release(gradient);
    }
    return result;
}

function applyHooks(
    node: GradNode,
    gradients: (Tensor | null)[],
    pending: PendingGradients,
    createGraph: boolean,
): void {
    if (node.hooks.length === 0 && node.retained.length === 0) return;
    gradients.forEach((gradient, index) => {
        if (!gradient) return;
        const current = throughHooks(node.hooks[index] ?? [], gradient, pending, createGraph);
        gradients[index] = current;
        const retained = node.retained[index];
        if (!retained) return;
        pending.owned.delete(keep(current));
        const before = retained.grad;
        // As in PyTorch, a second pass adds to what the first one left.
        retained.grad = before
            ? keep(withGradMode(createGraph, () => tapeServices().add(before, current)))
            : current;
    });
}

/** The gradient that a list of hooks makes of another, which they may keep. */
function throughHooks(
    hooks: readonly GradientHook[],
    gradient: Tensor,
    pending: PendingGradients,
    createGraph: boolean,
): Tensor {
    let current = gradient;
    for (const hook of [...hooks]) {
        pending.owned.delete(keep(current));
        const seen = current;
        const given: unknown = withGradMode(createGraph, () => hook(seen));
        if (given === undefined || given === null) continue;
        requireTensor('registerHook', given, 'what the hook returns');
        if (!sameShape(given.shape, seen.shape)) {
            throw new RangeError(
                `[registerHook] the hook gave a gradient of shape ${shapeText(given.shape)} for ${shapeText(seen.shape)}`,
            );
        }
        current = given;
    }
    return current;
}

/** Hands the gradients of leaves with hooks on, in the order in which they first came. */
function deliverHooked(pending: PendingGradients, createGraph: boolean, sink: LeafSink): void {
    for (const [leaf, gradient] of pending.hookedLeaves) {
        const current = throughHooks(hooksOfLeaf(leaf) ?? [], gradient, pending, createGraph);
        sink(leaf, current, false);
        pending.release(gradient);
    }
    pending.hookedLeaves.clear();
}

/** Backward may have been written in JavaScript: a list of tensors, null (or nothing) where there is no gradient. */
function requireGradients(node: GradNode, results: unknown): asserts results is readonly (Tensor | null)[] {
    if (!Array.isArray(results)) {
        throw new TypeError(
            `[${node.op}] backward must give a list with one gradient per input, got ${describeValue(results)}`,
        );
    }
    const list: readonly unknown[] = results;
    for (const x of list) {
        if (x !== null && x !== undefined && !(x instanceof Tensor))
            throw noTensor(`[${node.op}] gradient ${list.indexOf(x)} that backward gave`, x);
    }
}

export type LeafSink = (leaf: Tensor, gradient: Tensor, owned: boolean) => void;

function propagate(
    node: GradNode,
    gradients: (Tensor | null)[],
    pending: PendingGradients,
    createGraph: boolean,
    sink: LeafSink,
): void {
    if (createGraph && !node.differentiable) {
        throw new Error(
            `[${node.op}] has no second derivative: its backward is a native kernel; ` +
                'build it from differentiable ops, or leave createGraph off',
        );
    }
    const context = {
        saved: node.unpack(),
        options: node.options,
        needs: node.edges.map(isWanted),
        shapes: node.shapes,
    };
    const results = pending.runNode(node, gradients, context);
    if (results.length !== node.edges.length) {
        throw new Error(
            `[${node.op}] backward gave ${results.length} gradients for ${node.edges.length} inputs`,
        );
    }
    checkBackward(node.op, results);
    // Whoever takes a gradient holds it; what nobody took is freed in the end.
    for (const raw of results) if (raw) pending.hold(raw);
    for (let index = 0; index < results.length; index++) {
        const raw = results[index];
        const edge = node.edges[index];
        if (raw && edge) deliver(pending, node.op, raw, edge, index, occurrences(results, raw) === 1, sink);
    }
    for (const raw of results) if (raw) pending.release(raw);
}

/** A function of its own, since a closure in the loop of a pass would cost every pass. */
function propagateWatched(
    watcher: Watcher,
    node: GradNode,
    gradients: (Tensor | null)[],
    pending: PendingGradients,
    createGraph: boolean,
    sink: LeafSink,
): void {
    watcher.runNode(node, node.op, () => propagate(node, gradients, pending, createGraph, sink));
}

/** Hands one gradient on: to the node that made the input, or to the leaf. */
function deliver(
    pending: PendingGradients,
    op: string,
    raw: Tensor,
    edge: Edge,
    input: number,
    isOnly: boolean,
    sink: LeafSink,
): void {
    const gradient = fit(pending, op, raw, edge, input);
    if (edge.node) {
        pending.add(edge.node, edge.outputIndex, gradient);
    } else if (edge.leaf && hooksOfLeaf(edge.leaf)) {
        pending.addLeaf(edge.leaf, gradient);
    } else if (edge.leaf) {
        // The results hold `raw`; whoever gave it to this op may do so too.
        const exclusive = isOnly && pending.isExclusive(gradient, gradient === raw ? 2 : 1);
        if (exclusive) pending.owned.delete(gradient);
        sink(edge.leaf, gradient, exclusive);
    }
}

/**
 * The backward pass from the roots, one recorded op between two yields, so that a caller can do something else in between;
 * `sink` receives the gradients of leaves. Tensors of the pass join the scope that is open at each step.
 */
export function* backwardSteps(
    roots: readonly { readonly tensor: Tensor; readonly gradient: Tensor }[],
    options: Required<BackwardOptions>,
    sink: LeafSink,
): Generator<void, void, undefined> {
    const pending = new PendingGradients(options.createGraph);
    const nodes: GradNode[] = [];
    for (const { tensor, gradient } of roots) {
        const node = nodeOf(tensor);
        if (node) {
            nodes.push(node);
            pending.add(node, tensor.outputIndex, gradient);
        } else if (hooksOfLeaf(tensor)) {
            pending.addLeaf(tensor, gradient);
        } else {
            sink(tensor, gradient, false);
        }
    }
    try {
        for (const node of reachableNodes(nodes)) {
            const gradients = pending.take(node);
            if (gradients) {
                const incoming = gradients.filter(isTensor);
                applyHooks(node, gradients, pending, options.createGraph);
                const watcher = activeWatcher();
                const { createGraph } = options;
                if (watcher === null) propagate(node, gradients, pending, createGraph, sink);
                else propagateWatched(watcher, node, gradients, pending, createGraph, sink);
                for (const x of incoming) pending.release(x);
            }
            if (!options.retainGraph) node.release();
            yield;
        }
        deliverHooked(pending, options.createGraph, sink);
    } catch (error) {
        pending.abandon();
        throw error;
    }
}
