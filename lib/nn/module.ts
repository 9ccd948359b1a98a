import { noGrad } from '../autograd/grad_mode.js';
import { clearGradient, setRequiresGrad } from '../autograd/gradients.js';
import { activeTracer, guard } from '../native/tracer.js';
import { copy_ } from '../ops/in_place.js';
import { to } from '../ops/convert.js';
import { detach } from '../ops/tape.js';
import { describeValue } from '../support/describe_value.js';
import { similarName } from '../support/option_names.js';
import { deviceCode, isDevice, requireTarget, type Device } from '../tensor/device.js';
import { isFloat, type DType } from '../tensor/dtype.js';
import { keep } from '../tensor/lifetime.js';
import { sameShape, shapeText, type Shape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { copyModule } from './copy_module.js';
import {
    callForward,
    describeModule,
    type BackwardHook,
    type ForwardHook,
    type ForwardPreHook,
    type Hooks,
} from './forward_call.js';
import { printModule } from './print_module.js';
import { Parameter } from './parameter.js';
import { summary, type ModelSummary, type SummaryOptions } from './summary.js';

/** Parameters and persistent buffers by their path, in the order of registration. */
export type StateDict = Map<string, Tensor>;

/** A module from one tensor to one tensor, as `Sequential` chains them. */
export interface Layer extends Module {
    forward(x: Tensor): Tensor;
}

/** A module from one tensor to several things, a tensor first: `nn.LSTM` gives its output and its state. */
export interface ModuleOfSeveral extends Module {
    forward(x: Tensor): readonly [Tensor, ...unknown[]];
}

/** What `Sequential` takes; of several outputs the first one goes on. */
export type SequentialLayer = Layer | ModuleOfSeveral;

interface Buffer {
    readonly tensor: Tensor;
    readonly persistent: boolean;
}

/**
 * Base of every layer and network. Properties that hold a `Parameter` or another `Module` are found by themselves, in the
 * order of their assignment; lists of modules belong into `ModuleList` or `ModuleDict`. Names and semantics are
 * PyTorch's.
 *
 * @example
 * import { nn, type Tensor, zeros } from 'nativegrad';
 * class Net extends nn.Module {
 *     readonly fc1 = new nn.Linear(784, 32);
 *     readonly fc2 = new nn.Linear(32, 10);
 *     forward(x: Tensor): Tensor {
 *         return this.fc2.forward(this.fc1.forward(x).relu());
 *     }
 * }
 * const net = new Net();
 * console.log(net.forward(zeros([2, 784])).shape); // [2, 10]
 * console.log([...net.stateDict().keys()]); // ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias']
 */
export abstract class Module {
    private isTraining = true;
    private readonly bufferTable = new Map<string, Buffer>();
    private readonly hooks: Hooks = { pre: new Set(), forward: new Set(), backward: new Set() };

    constructor() {
        wrapForward(this);
    }

    /** True between `train()` and `eval()`; dropout and batch norm look at it. */
    get training(): boolean {
        const mode = this.isTraining;
        if (activeTracer()) {
            const name = describeModule(this);
            guard(
                () => this.isTraining === mode,
                () => `${name} is in ${mode ? 'eval' : 'train'} mode now`,
            );
        }
        return mode;
    }

    set training(mode: boolean) {
        this.isTraining = mode;
    }

    /** Computes the module's output. Called on an instance, it runs the hooks as well. */
    abstract forward(...inputs: never[]): unknown;

    /** @internal True when a hook is registered on this module itself. */
    get hasHooks(): boolean {
        return this.hooks.pre.size + this.hooks.forward.size + this.hooks.backward.size > 0;
    }

    /** @internal Runs `body` as this module's forward. */
    runForward(inputs: readonly unknown[], body: (inputs: readonly unknown[]) => unknown): unknown {
        return callForward(this, this.hooks, inputs, body);
    }

    /** Direct children with their names. Containers override it. */
    namedChildren(): [string, Module][] {
        return Object.entries(this).filter((entry): entry is [string, Module] => entry[1] instanceof Module);
    }

    /** Direct children. */
    children(): Module[] {
        return this.namedChildren().map(([, child]) => child);
    }

    /** This module ('') and everything below it by path, parents first; a module that appears twice is listed once. */
    namedModules(): [string, Module][] {
        const found = new Map<Module, string>();
        const visit = (module: Module, path: string): void => {
            if (found.has(module)) return;
            found.set(module, path);
            for (const [name, child] of module.namedChildren()) visit(child, path ? `${path}.${name}` : name);
        };
        visit(this, '');
        return [...found].map(([module, path]) => [path, module]);
    }

    modules(): Module[] {
        return this.namedModules().map(([, module]) => module);
    }

    /** @internal Parameters of this module itself, without those of its children. */
    ownParameters(): [string, Parameter][] {
        return Object.entries(this).filter(
            (entry): entry is [string, Parameter] => entry[1] instanceof Parameter,
        );
    }

    /** Parameters by path; one that is shared (tied) is listed once, under its first name. */
    namedParameters(): [string, Parameter][] {
        const found = new Map<Parameter, string>();
        for (const [path, module] of this.namedModules()) {
            for (const [name, parameter] of module.ownParameters()) {
                if (!found.has(parameter)) found.set(parameter, path ? `${path}.${name}` : name);
            }
        }
        return [...found].map(([parameter, path]) => [path, parameter]);
    }

    parameters(): Parameter[] {
        return this.namedParameters().map(([, parameter]) => parameter);
    }

    /**
     * Adds a tensor that is part of the state but not learned, such as a running mean. `persistent: false` leaves it out
     * of `stateDict()`. Returns the tensor.
     */
    registerBuffer(name: string, tensor: Tensor, options: { readonly persistent?: boolean } = {}): Tensor {
        if (name === '' || name.includes('.'))
            throw new Error(`[registerBuffer] a name must not be empty nor hold a dot, got '${name}'`);
        this.bufferTable.set(name, { tensor: keep(tensor), persistent: options.persistent ?? true });
        return tensor;
    }

    /** The buffer registered under `name` on this module itself. */
    buffer(name: string): Tensor {
        const found = this.bufferTable.get(name);
        if (!found) throw new Error(`[buffer] ${this.constructor.name} has no buffer '${name}'`);
        return found.tensor;
    }

    /** Buffers by path, each once. */
    namedBuffers(): [string, Tensor][] {
        const found = new Map<Tensor, string>();
        for (const [path, module] of this.namedModules()) {
            for (const [name, { tensor }] of module.bufferTable) {
                if (!found.has(tensor)) found.set(tensor, path ? `${path}.${name}` : name);
            }
        }
        return [...found].map(([tensor, path]) => [path, tensor]);
    }

    buffers(): Tensor[] {
        return this.namedBuffers().map(([, tensor]) => tensor);
    }

    /**
     * Parameters and persistent buffers under PyTorch's names, as detached tensors that share the module's memory; `clone()`
     * them for a snapshot. Tied parameters appear under each of their names.
     */
    stateDict(): StateDict {
        const state: StateDict = new Map();
        for (const [name, tensor] of this.stateEntries('')) state.set(name, detach(tensor));
        return state;
    }

    /**
     * Copies tensors into parameters and buffers, in their own dtype. Either everything fits and is copied, or nothing is: a
     * wrong shape, a disposed tensor or floats for an integer buffer anywhere leave the module as it was.
     * `strict` (default) refuses missing and unexpected names; without it they are returned.
     *
     * @throws Error that lists every missing and unexpected name and every wrong shape.
     */
    loadStateDict(
        state: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
        options: { readonly strict?: boolean } = {},
    ): { missing: string[]; unexpected: string[] } {
        const given = new Map<string, Tensor>(isMap(state) ? state : Object.entries(state));
        const own = new Map(this.stateEntries(''));
        const missing = [...own.keys()].filter((name) => !given.has(name));
        const unexpected = [...given.keys()].filter((name) => !own.has(name));
        const problems = stateProblems(own, given);
        if (options.strict ?? true) {
            if (missing.length > 0) problems.push(`missing: ${missing.join(', ')}`);
            if (unexpected.length > 0) problems.push(`unexpected: ${unexpected.join(', ')}`);
        }
        if (problems.length > 0) {
            throw new Error(
                `[loadStateDict] the state does not fit ${this.constructor.name}: ${problems.join('; ')}`,
            );
        }
        noGrad(() => {
            for (const [name, target] of own) {
                const source = given.get(name);
                if (source) copy_(target, source);
            }
        });
        return { missing, unexpected };
    }

    /** Sets the mode of this module and everything below: training (default) or evaluation. */
    train(mode = true): this {
        for (const module of this.modules()) module.training = mode;
        return this;
    }

    eval(): this {
        return this.train(false);
    }

    /**
     * Moves parameters, their gradients and buffers to a device, or casts those of float dtypes to another float dtype, or
     * both; in place: whoever holds them (an optimizer made before) sees it, and the state of an
     * optimizer follows its parameters with the next step.
     *
     * @throws TypeError for a dtype that is no float; CudaError where CUDA cannot be used, and then nothing has moved.
     * @example
     * import { nn } from 'nativegrad';
     * const model = new nn.Linear(4, 2).to('float64');
     * console.log(model.to('cpu').weight.device); // cpu
     */
    to(dtype: DType): this;
    to(device: Device, dtype?: DType): this;
    to(target: DType | Device, dtype?: DType): this {
        requireTarget('to', target);
        const [device, float] = isDevice(target) ? [target, dtype] : [undefined, target];
        if (float !== undefined && !isFloat(float))
            throw new TypeError(`[to] a module takes a float dtype, got ${float}`);
        if (device !== undefined) deviceCode('to', device);
        const converted = (x: Tensor): Tensor => {
            const there = device === undefined ? x : to(x, device);
            return float !== undefined && isFloat(x.dtype) ? to(there, float) : there;
        };
        for (const tensor of [...this.parameters(), ...this.buffers()]) {
            const { storedGrad } = tensor;
            const moved = noGrad(() => converted(tensor));
            if (moved === tensor) continue;
            tensor.adopt(moved);
            if (!storedGrad) continue;
            tensor.grad = keep(noGrad(() => converted(storedGrad)));
            if (tensor.grad !== storedGrad) storedGrad.dispose();
        }
        return this;
    }

    /** Stops learning: no parameter requires a gradient until `unfreeze()`. */
    freeze(): this {
        return this.setLearning(false);
    }

    unfreeze(): this {
        return this.setLearning(true);
    }

    private setLearning(learns: boolean): this {
        for (const parameter of this.parameters()) setRequiresGrad(parameter, learns);
        return this;
    }

    /** Frees the gradients of all parameters. */
    zeroGrad(): void {
        for (const parameter of this.parameters()) {
            clearGradient(parameter);
        }
    }

    /**
     * A deep copy: parameters and buffers with memory of their own, ties kept, no gradients. Properties of other kinds are
     * shared. A class with `#private` fields must override it.
     */
    clone(): this {
        return copyModule(this);
    }

    /** Calls `body` on every module below, then on this one. */
    apply(body: (module: Module) => void): this {
        for (const child of this.children()) child.apply(body);
        body(this);
        return this;
    }

    /** Calls `hook` before each forward; returns the function that removes it. */
    registerForwardPreHook(hook: ForwardPreHook): () => void {
        return addTo(this.hooks.pre, hook);
    }

    /** Calls `hook` after each forward; returns the function that removes it. */
    registerForwardHook(hook: ForwardHook): () => void {
        return addTo(this.hooks.forward, hook);
    }

    /**
     * Calls `hook` in each backward pass with the gradients of the module's tensor inputs and outputs (null where there is
     * none); returns the function that removes it.
     */
    registerBackwardHook(hook: BackwardHook): () => void {
        return addTo(this.hooks.backward, hook);
    }

    /** Runs the module once on zeros of `inputShape` and lists its layers, shapes, parameters and multiplications. */
    summary(inputShape: Shape, options: SummaryOptions = {}): ModelSummary {
        return summary(this, inputShape, options);
    }

    /** @internal Positions at which each parameter acts in one call, for `summary()`: all of the output but its channels. */
    positions(_input: Tensor, output: Tensor): number {
        const weight = this.ownParameters().find(([name]) => name === 'weight')?.[1];
        return output.size / Math.max(1, weight?.shape[0] ?? 1);
    }

    /** Options of this layer for printing, such as `784, 256`. */
    describe(): string {
        return '';
    }

    /** Frees all parameters, gradients and buffers now. */
    dispose(): void {
        this.zeroGrad();
        for (const tensor of [...this.parameters(), ...this.buffers()]) tensor.dispose();
    }

    [Symbol.dispose](): void {
        this.dispose();
    }

    toString(): string {
        return printModule(this);
    }

    [Symbol.for('nodejs.util.inspect.custom')](): string {
        return printModule(this);
    }

    /** An error about an input's shape that names this layer's path in the running model. */
    protected shapeError(expected: string, got: Shape, hint: string): RangeError {
        return new RangeError(
            `${describeModule(this)}: expected ${expected}, got ${shapeText(got)}${hint ? `; ${hint}` : ''}`,
        );
    }

    private stateEntries(prefix: string): [string, Tensor][] {
        const entries: [string, Tensor][] = this.ownParameters().map(([name, x]) => [prefix + name, x]);
        for (const [name, { tensor, persistent }] of this.bufferTable) {
            if (persistent) entries.push([prefix + name, tensor]);
        }
        for (const [name, child] of this.namedChildren())
            entries.push(...child.stateEntries(`${prefix}${name}.`));
        return entries;
    }
}

/** @internal Puts `callForward` around the class's own forward on this instance. */
export function wrapForward(module: Module): void {
    const { forward } = Object.getPrototypeOf(module) as {
        forward?: (this: Module, ...inputs: unknown[]) => unknown;
    };
    Object.defineProperty(module, 'forward', {
        configurable: true,
        writable: true,
        value: (...inputs: unknown[]) => {
            if (typeof forward !== 'function') throw missingForward(module);
            return module.runForward(inputs, (given) => forward.call(module, ...given));
        },
    });
}

/** TypeScript finds this; JavaScript does not. */
function missingForward(module: Module): TypeError {
    const own = Object.getOwnPropertyNames(Object.getPrototypeOf(module));
    const meant = own.find((name) => name !== 'forward' && similarName(name, ['forward']));
    return new TypeError(
        `[${module.constructor.name}] the module has no method forward(x)` +
            (meant === undefined
                ? '; write one that computes its output'
                : `; its method '${meant}' looks like it: rename it`),
    );
}

function isMap<T>(
    state: ReadonlyMap<string, T> | Readonly<Record<string, T>>,
): state is ReadonlyMap<string, T> {
    return state instanceof Map;
}

function stateProblems(own: ReadonlyMap<string, Tensor>, given: ReadonlyMap<string, Tensor>): string[] {
    const problems: string[] = [];
    for (const [name, target] of own) {
        const source = given.get(name);
        if (source === undefined) continue;
        if (!(source instanceof Tensor))
            problems.push(`${name} must be a Tensor, got ${describeValue(source)}`);
        else if (source.isDisposed) problems.push(`${name} was disposed`);
        else if (target.isDisposed) problems.push(`${name} of this module was disposed`);
        else if (isFloat(source.dtype) && !isFloat(target.dtype))
            problems.push(`${name} is ${target.dtype}, got ${source.dtype}`);
        else if (!sameShape(source.shape, target.shape))
            problems.push(`${name} is ${shapeText(target.shape)}, got ${shapeText(source.shape)}`);
    }
    return problems;
}

function addTo<T>(hooks: Set<T>, hook: T): () => void {
    hooks.add(hook);
    return () => void hooks.delete(hook);
}
