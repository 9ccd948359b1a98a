import { defineOp } from '../autograd/define_op.js';
import { isGradEnabled } from '../autograd/grad_mode.js';
import type { Gradients } from '../autograd/node.js';
import { activeTracer, guard } from '../native/tracer.js';
import { activeWatcher, type Watcher } from '../native/watcher.js';
import { amendMessage } from '../support/amend_message.js';
import { keep } from '../tensor/lifetime.js';
import { Tensor, viewOf } from '../tensor/tensor.js';
import type { Module } from './module.js';

/** May give other inputs in place of those it sees. */
export type ForwardPreHook = (module: Module, inputs: readonly unknown[]) => readonly unknown[] | undefined;

/** May give another output in place of the one it sees. */
export type ForwardHook = (module: Module, inputs: readonly unknown[], output: unknown) => unknown;

/** Sees the gradients of a module's tensor inputs and outputs; may give others for the inputs. */
export type BackwardHook = (
    module: Module,
    inputGradients: Gradients,
    outputGradients: Gradients,
) => Gradients | undefined;

/** @internal The hooks of one module, in the order of registration. */
export interface Hooks {
    readonly pre: Set<ForwardPreHook>;
    readonly forward: Set<ForwardHook>;
    readonly backward: Set<BackwardHook>;
}

/** Modules whose forward is running, outermost first. */
const running: Module[] = [];

/** Where `module` lies in the outermost module that is running: `Linear 'features.0'`, or `Linear` alone. */
export function describeModule(module: Module): string {
    const type = module.constructor.name;
    const path = running[0]?.namedModules().find(([, other]) => other === module)?.[0];
    return path ? `${type} '${path}'` : type;
}

const named = new WeakSet<Error>();

/** Puts the layer in front of an op's message, once: the innermost layer knows best. */
function nameLayer(error: unknown, module: Module): void {
    if (!(error instanceof Error) || named.has(error)) return;
    named.add(error);
    const before = error.message;
    if (!before.startsWith('[')) return;
    amendMessage(error, `${describeModule(module)}: ${before}`);
}

interface Watch {
    readonly module: Module;
    readonly hooks: Hooks;
    outputGradients: Gradients;
}

/** The hook may keep what it sees, and the tape frees its own: a view of the same memory serves both. */
function lend(gradients: Gradients): Gradients {
    if (isGradEnabled()) return gradients;
    return gradients.map((x) => x && keep(viewOf(x, x.shape, x.strides)));
}

function callBackwardHooks(watch: Watch, inputGradients: Gradients): Gradients {
    let current = inputGradients;
    for (const hook of watch.hooks.backward) {
        const replaced = hook(watch.module, lend(current), watch.outputGradients);
        if (!replaced) continue;
        if (replaced.length !== current.length) {
            throw new Error(
                `[registerBackwardHook] the hook gave ${replaced.length} gradients for ${current.length} inputs`,
            );
        }
        current = replaced;
    }
    return current;
}

const sharedViews = (inputs: readonly Tensor[]): readonly Tensor[] =>
    inputs.map((x) => viewOf(x, x.shape, x.strides));

const watchInputs = defineOp<readonly Tensor[], { watch: Watch }, readonly Tensor[]>({
    name: 'module_inputs',
    forward: (_, inputs) => sharedViews(inputs),
    backward: (gradients, { options }) => callBackwardHooks(options.watch, gradients),
    differentiable: true,
});

const watchOutputs = defineOp<readonly Tensor[], { watch: Watch; alone: boolean }, readonly Tensor[]>({
    name: 'module_outputs',
    forward: (_, outputs) => sharedViews(outputs),
    backward: (gradients, { options: { watch, alone } }) => {
        watch.outputGradients = lend(gradients);
        // No input takes part in the backward pass, so nobody else would call the hooks.
        if (alone) callBackwardHooks(watch, [null]);
        return gradients;
    },
    differentiable: true,
});

/** Replaces the tensors in a list by others, in order. */
function substitute(items: readonly unknown[], tensors: readonly Tensor[]): unknown[] {
    let next = 0;
    return items.map((item) => (item instanceof Tensor ? tensors[next++] : item));
}

type Body = (inputs: readonly unknown[]) => unknown;

function runWatched(module: Module, hooks: Hooks, inputs: readonly unknown[], body: Body): unknown {
    if (hooks.backward.size === 0 || !isGradEnabled()) return body(inputs);
    const watch: Watch = { module, hooks, outputGradients: [] };
    const tensors = inputs.filter((x) => x instanceof Tensor);
    const alone = !tensors.some((x) => x.needsGrad);
    const output = body(alone ? inputs : substitute(inputs, watchInputs(tensors, { watch })));
    const outputs: readonly unknown[] = Array.isArray(output) ? output : [output];
    const results = outputs.filter((x) => x instanceof Tensor);
    const replaced = substitute(outputs, watchOutputs(results, { watch, alone }));
    return Array.isArray(output) ? replaced : replaced[0];
}

/** Ties a captured step to the parameters, modules and hooks that this one has now. */
function guardParts(module: Module, hooks: Hooks): void {
    const [name, names, then] = [describeModule(module), partNames(module, hooks), partsOf(module, hooks)];
    for (const [own, parameter] of module.ownParameters())
        activeTracer()?.nameTensor(parameter, `parameter '${own}' of ${name}`);
    guard(
        () => {
            const now = partsOf(module, hooks);
            return now.length === then.length && now.every((part, i) => part === then[i]);
        },
        () => {
            const now = partsOf(module, hooks);
            const longer = now.length > names.length ? partNames(module, hooks) : names;
            return `${longer.find((_, i) => now[i] !== then[i]) ?? 'a part'} of ${name} is another one now`;
        },
    );
}

function partsOf(module: Module, { pre, forward, backward }: Hooks): unknown[] {
    const parameters = module.ownParameters().map(([, parameter]) => parameter);
    return [...parameters, ...module.children(), ...pre, ...forward, ...backward];
}

/** Names for the same list. */
function partNames(module: Module, { pre, forward, backward }: Hooks): string[] {
    return [
        ...module.ownParameters().map(([name]) => `parameter '${name}'`),
        ...module.children().map(() => 'a submodule'),
        ...[...pre, ...forward, ...backward].map(() => 'a hook'),
    ];
}

/** The class of the outermost module that is running, and the path of `module` in it. */
function pathOf(module: Module): string {
    const [root = module] = running;
    const path = root.namedModules().find(([, other]) => other === module)?.[0];
    return root.constructor.name + (path ? `.${path}` : path === '' ? '' : `.(${module.constructor.name})`);
}

/** @internal One call of a module's forward: hooks around it, and its name on the errors that leave it. */
export function callForward(module: Module, hooks: Hooks, inputs: readonly unknown[], body: Body): unknown {
    const watcher = activeWatcher();
    if (watcher === null) return callHooked(module, hooks, inputs, body);
    return callWatched(watcher, module, hooks, inputs, body);
}

function callWatched(
    watcher: Watcher,
    module: Module,
    hooks: Hooks,
    inputs: readonly unknown[],
    body: Body,
): unknown {
    return watcher.runModule(pathOf(module), () => callHooked(module, hooks, inputs, body));
}

function callHooked(module: Module, hooks: Hooks, inputs: readonly unknown[], body: Body): unknown {
    if (activeTracer()) guardParts(module, hooks);
    running.push(module);
    try {
        let given = inputs;
        for (const hook of hooks.pre) given = hook(module, given) ?? given;
        let output = runWatched(module, hooks, given, body);
        for (const hook of hooks.forward) output = hook(module, given, output) ?? output;
        return output;
    } catch (error) {
        nameLayer(error, module);
        throw error;
    } finally {
        running.pop();
    }
}
