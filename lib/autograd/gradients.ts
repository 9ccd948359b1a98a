import { binaryCode, run } from '../native/call.js';
import { activeTracer } from '../native/tracer.js';
import { keep } from '../tensor/lifetime.js';
import { describeValue } from '../support/describe_value.js';
import { isFloat } from '../tensor/dtype.js';
import { sameShape, shapeText } from '../tensor/shape.js';
import { requireTensor, requireTensorList } from '../tensor/require_tensor.js';
import type { Tensor } from '../tensor/tensor.js';
import { backwardSteps, type BackwardOptions, type LeafSink } from './backward.js';
import { withGradMode } from './grad_mode.js';
import { nodeOf, openLeafHooks, type GradientHook } from './node.js';
import { tapeServices } from './services.js';

function rootGradient(op: string, x: Tensor, gradient: Tensor | undefined): Tensor {
    requireTensor(op, x, 'the output');
    if (!x.needsGrad) {
        throw new Error(
            `[${op}] the tensor of shape ${shapeText(x.shape)} does not depend on anything that requires a gradient; ` +
                'set requiresGrad on a leaf, and compute outside noGrad()',
        );
    }
    if (gradient !== undefined && gradient !== null) {
        requireTensor(op, gradient, 'the gradient');
        if (!sameShape(gradient.shape, x.shape)) {
            throw new RangeError(
                `[${op}] the gradient has shape ${shapeText(gradient.shape)}, the tensor ${shapeText(x.shape)}`,
            );
        }
        return gradient;
    }
    if (x.size !== 1) {
        throw new Error(
            `[${op}] starts from one element, got shape ${shapeText(x.shape)}; reduce it (sum, mean) or pass a gradient`,
        );
    }
    return withGradMode(false, () => tapeServices().onesLike(x));
}

function resolved(options: BackwardOptions): Required<BackwardOptions> {
    const createGraph = options.createGraph ?? false;
    return { createGraph, retainGraph: options.retainGraph ?? createGraph };
}

/** The sum of both. A gradient of the pass's own is taken as it is; any other is copied, since it may be shared. */
function accumulated(
    before: Tensor | null,
    gradient: Tensor,
    exclusive: boolean,
    createGraph: boolean,
): Tensor {
    if (before === null) {
        const takes = createGraph || (exclusive && gradient.isContiguous);
        if (takes) return gradient;
        const copy = withGradMode(false, () => tapeServices().copy(gradient));
        if (exclusive) gradient.dispose();
        return copy;
    }
    const sum = withGradMode(createGraph, () => tapeServices().add(before, gradient));
    // `before` may be in the user's hands; it is freed when nobody refers to it any more.
    if (!createGraph && exclusive) gradient.dispose();
    return sum;
}

/** @internal Forgets the gradient of a leaf. */
export function clearGradient(leaf: Tensor): void {
    const { storedGrad } = leaf;
    leaf.grad = null;
    if (!storedGrad) return;
    const tracer = activeTracer();
    if (tracer) tracer.discard(storedGrad);
    else storedGrad.dispose();
}

/** Adds to the gradient of a leaf. In a captured step one from before the step is added to in place. */
function addToLeaf(leaf: Tensor, gradient: Tensor, exclusive: boolean, createGraph: boolean): void {
    const before = leaf.grad;
    if (before && !createGraph && activeTracer()?.isFromOutside(before)) {
        run('binary', [before, gradient], [before], [binaryCode('add'), 0, 0], 'backward');
        if (exclusive) gradient.dispose();
        return;
    }
    leaf.grad = keep(accumulated(before, gradient, exclusive, createGraph));
}

/** Runs all steps of a pass at once. */
function finish(steps: Generator<void, void, undefined>): void {
    while (!steps.next().done);
}

/** @internal The body of `Tensor.backward`, in steps of one op. */
export function* backwardInSteps(
    x: Tensor,
    gradient?: Tensor,
    options: BackwardOptions = {},
): Generator<void, void, undefined> {
    const root = rootGradient('backward', x, gradient);
    const settings = resolved(options);
    // `.grad` outlives the scope of the step that it was made in.
    yield* backwardSteps([{ tensor: x, gradient: root }], settings, (leaf, gradient, exclusive) =>
        addToLeaf(leaf, gradient, exclusive, settings.createGraph),
    );
    if (!gradient && !settings.createGraph) root.dispose();
}

/** @internal */
export function backward(x: Tensor, gradient?: Tensor, options: BackwardOptions = {}): void {
    finish(backwardInSteps(x, gradient, options));
}

/**
 * Gradients of `outputs` (summed) with respect to `inputs`, without touching any `.grad`.
 * An input that the outputs do not depend on gets null.
 *
 * @throws Error when an op on the way has no second derivative and `createGraph` asks for one.
 * @example
 * import { grad, tensor } from 'nativegrad';
 * const x = tensor([3], { requiresGrad: true });
 * const [first] = grad([x.pow(3).sum()], [x], { createGraph: true });
 * const [second] = grad([first!.sum()], [x]);
 * console.log(first!.item(), second!.item()); // 27 18
 */
export function grad(
    outputs: readonly Tensor[],
    inputs: readonly Tensor[],
    options: BackwardOptions & { gradients?: readonly Tensor[] } = {},
): (Tensor | null)[] {
    requireTensorList('grad', 'the outputs', outputs);
    requireTensorList('grad', 'the inputs', inputs);
    const settings = resolved(options);
    const roots = outputs.map((tensor, i) => ({
        tensor,
        gradient: rootGradient('grad', tensor, options.gradients?.[i]),
    }));
    const leaves = new Set(inputs.filter((x) => nodeOf(x) === null));
    const collected = new Map<Tensor, Tensor>();
    const sink: LeafSink = (leaf, gradient, exclusive) => {
        if (!leaves.has(leaf)) {
            if (exclusive) gradient.dispose();
            return;
        }
        const before = collected.get(leaf) ?? null;
        collected.set(leaf, accumulated(before, gradient, exclusive, settings.createGraph));
    };
    const undo = inputs.map((x) => watch(x, collected));
    try {
        finish(backwardSteps(roots, settings, sink));
    } finally {
        for (const restore of undo) restore();
    }
    return inputs.map((x) => collected.get(x) ?? null);
}

/** Collects the gradient of an intermediate tensor through a hook for one pass. */
function watch(x: Tensor, collected: Map<Tensor, Tensor>): () => void {
    const node = nodeOf(x);
    if (!node) {
        if (!x.needsGrad)
            throw new Error(`[grad] an input of shape ${shapeText(x.shape)} does not require a gradient`);
        return () => undefined;
    }
    return addHook(x, (gradient) => {
        collected.set(x, gradient);
        return undefined;
    });
}

/** @internal Calls `hook` with the gradient of `x` in each backward pass; returns the function that removes it. */
export function addHook(x: Tensor, hook: GradientHook): () => void {
    if (typeof hook !== 'function')
        throw new TypeError(
            `[registerHook] takes a function (gradient) => Tensor, got ${describeValue(hook)}`,
        );
    if (!x.needsGrad) {
        throw new Error(
            `[registerHook] the tensor of shape ${shapeText(x.shape)} does not require a gradient, so it never gets one; ` +
                'set requiresGrad first',
        );
    }
    const node = nodeOf(x);
    const hooks = node ? (node.hooks[x.outputIndex] ??= []) : openLeafHooks(x);
    hooks.push(hook);
    return () => {
        const at = hooks.indexOf(hook);
        if (at >= 0) hooks.splice(at, 1);
    };
}

/** @internal */
export function setRequiresGrad(x: Tensor, required: boolean): void {
    if (required && !isFloat(x.dtype)) {
        throw new TypeError(`[requiresGrad] only float tensors have gradients, got ${x.dtype}`);
    }
    if (nodeOf(x) !== null) {
        if (!required) throw new Error('[requiresGrad] the tensor is a result of recorded ops; use detach()');
        return;
    }
    x.needsGrad = required;
}

/** @internal */
export function retainGrad(x: Tensor): void {
    const node = nodeOf(x);
    if (node) node.retained[x.outputIndex] = x;
}
