import { clearGradient } from '../autograd/gradients.js';
import { nodeOf } from '../autograd/node.js';
import { noGrad } from '../autograd/grad_mode.js';
import { run, untraced } from '../native/call.js';
import { activeTracer, eachStep, guard, type Scalar } from '../native/tracer.js';
import { contiguous } from '../ops/convert.js';
import { zerosLike } from '../ops/create.js';
import { copyKernel } from '../ops/kernels.js';
import { keep } from '../tensor/lifetime.js';
import { describeValue } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import { noTensor, requireTensor } from '../tensor/require_tensor.js';
import { sameShape, shapeText } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import {
    followParameter,
    newSkipCount,
    settleSkips,
    skipCountOf,
    skipsOf,
    stateTensor,
    type ParameterState,
} from './parameter_state.js';

/** Options that every optimizer has. */
export interface CommonOptions {
    /** Learning rate. */
    lr?: number;
    /** Strength of the pull towards zero. */
    weightDecay?: number;
}

/** Parameters that share options; schedules change `lr` here between steps. */
export type ParamGroup<Options> = Required<Options> & { params: Tensor[] };

/** What the constructor takes: parameters, or groups with options of their own. */
export type Parameters<Options> = Iterable<Tensor> | Iterable<{ params: Iterable<Tensor> } & Options>;

/** What a loss scaler knows of the gradients; all of it stays on the device. */
export interface GradientScale {
    /** int32 []: not 0 where a gradient is infinite or NaN; parameters and state then stay as they are. */
    readonly found: Tensor;
    /** float32 []: what gradients are multiplied by; null for gradients that are no longer scaled. */
    readonly multiplier: Tensor | null;
}

/** State of an optimizer; parameters are named by their position over all groups. */
export interface OptimizerState {
    readonly state: Readonly<
        Record<string, { readonly step: number; readonly tensors: Readonly<Record<string, Tensor>> }>
    >;
    readonly paramGroups: readonly Readonly<Record<string, unknown>>[];
}

/** A parameter that has a gradient, with its state, ready for one native call. */
export interface Update {
    readonly parameter: Tensor;
    readonly gradient: Tensor;
    readonly state: ParameterState;
}

const maxOperands = 128;

/** Base of the optimizers: parameter groups, state, gradients. */
export abstract class Optimizer<Options extends CommonOptions = CommonOptions> {
    readonly paramGroups: ParamGroup<Options>[] = [];
    private readonly defaults: Required<Options>;
    protected readonly state = new Map<Tensor, ParameterState>();
    /** That of the running step. */
    private scale: GradientScale | null = null;

    /** `defaults` names every option; `options` are those that were given. */
    constructor(
        protected readonly label: string,
        parameters: Parameters<Options>,
        defaults: Required<Options>,
        options: Partial<Options> = {},
    ) {
        requireOptionNames(`[${label}]`, options, Object.keys(defaults));
        this.defaults = { ...defaults, ...definedOptions(options) };
        this.checkOptions(this.defaults);
        const items = parameterList<Tensor | ({ params: Iterable<Tensor> } & Options)>(label, parameters);
        if (items.length === 0) throw new Error(`[${label}] got no parameters`);
        if (items.every((item) => item instanceof Tensor)) {
            this.addGroup(items, {});
            return;
        }
        for (const item of items) {
            if (item instanceof Tensor)
                throw new TypeError(`[${label}] pass either parameters or groups, not both`);
            this.addParamGroup(item);
        }
    }

    /** Adds parameters with options of their own; what they leave out is the constructor's. */
    addParamGroup(group: { params: Iterable<Tensor> } & Options): void {
        if (typeof group !== 'object' || group === null || Array.isArray(group))
            throw new TypeError(`[${this.label}] parameters must be Tensors, got ${describeValue(group)}`);
        requireOptionNames(`[${this.label}]`, group, ['params', ...Object.keys(this.defaults)]);
        const { params } = group;
        this.addGroup(params instanceof Tensor ? [params] : parameterList(this.label, params), group);
    }

    private addGroup(params: Tensor[], group: object): void {
        if (params.length === 0) throw new Error(`[${this.label}] a parameter group is empty`);
        const taken = new Set(this.paramGroups.flatMap((other) => other.params));
        for (const parameter of params) {
            this.checkParameter(parameter);
            if (taken.has(parameter))
                throw new Error(
                    `[${this.label}] a parameter of shape ${shapeText(parameter.shape)} appears twice; ` +
                        'module.parameters() lists shared ones once',
                );
            taken.add(parameter);
        }
        const options: ParamGroup<Options> = { ...this.defaults, ...definedOptions(group), params };
        this.checkOptions(options);
        this.paramGroups.push(options);
    }

    /** Every parameter, group by group. */
    get parameters(): Tensor[] {
        return this.paramGroups.flatMap(({ params }) => params);
    }

    /** The learning rate of the first group; schedules change it. */
    get learningRate(): number {
        return this.paramGroups[0]?.lr ?? 0;
    }

    /**
     * Forgets the gradients. `setToNone` (default) frees them, so `clone()` one that you want to keep; otherwise they are
     * filled with zeros.
     */
    zeroGrad(options: { readonly setToNone?: boolean } = {}): void {
        this.guardGroups();
        for (const parameter of this.parameters) {
            if (options.setToNone ?? true) {
                clearGradient(parameter);
            } else {
                const { grad } = parameter;
                if (grad) noGrad(() => grad.zero_());
            }
        }
    }

    /**
     * Changes the parameters by their gradients; those without one stay as they are. With a `closure`, calls it first and
     * returns its loss.
     */
    step(): void;
    step<T>(closure: () => T): T;
    step<T>(closure?: () => T): T | undefined {
        const result = closure?.();
        this.guardGroups();
        if (!this.scale) settleSkips([...this.state.values()]);
        for (const group of this.paramGroups) {
            const updates = group.params.flatMap((parameter) => this.updateOf(parameter, group));
            if (updates.length === 0) continue;
            this.guardScale(updates);
            eachStep(() => {
                for (const { state } of updates) state.step++;
            }, this);
            this.update(updates, group);
        }
        return result;
    }

    /** @internal As `step()`, with gradients as `scale` says. */
    stepScaled(scale: GradientScale): void {
        this.scale = scale;
        try {
            this.step();
        } finally {
            this.scale = null;
        }
    }

    /**
     * Options and state, with tensors that share the optimizer's memory; `clone()` them for a snapshot. Steps that a loss
     * scaler left out do not count.
     */
    stateDict(): OptimizerState {
        const state: Record<string, { step: number; tensors: Record<string, Tensor> }> = {};
        const skips = skipsOf([...this.state.values()]);
        this.parameters.forEach((parameter, index) => {
            const own = this.state.get(parameter);
            if (!own) return;
            const step = own.step - (skips.get(own) ?? 0);
            state[index] = { step, tensors: Object.fromEntries(own.tensors) };
        });
        let next = 0;
        const paramGroups = this.paramGroups.map((group) => ({
            ...group,
            params: group.params.map(() => next++),
        }));
        return { state, paramGroups };
    }

    /**
     * Takes over options and a copy of the state of an optimizer over parameters of the same shapes.
     *
     * @throws Error, before anything is changed, when groups, parameters or shapes differ.
     */
    loadStateDict(saved: OptimizerState): void {
        const parameters = this.parameters;
        const sizes = (groups: readonly { readonly params?: unknown }[]): string =>
            groups.map(({ params }) => (Array.isArray(params) ? params.length : 0)).join(', ');
        if (sizes(saved.paramGroups) !== sizes(this.paramGroups)) {
            throw new Error(
                `[${this.label}] the state has groups of ${sizes(saved.paramGroups)} parameters, ` +
                    `this optimizer of ${sizes(this.paramGroups)}`,
            );
        }
        for (const [index, { tensors }] of Object.entries(saved.state)) {
            const parameter = parameters[Number(index)];
            for (const [name, tensor] of Object.entries(tensors)) {
                requireTensor(this.label, tensor, `${name} of parameter ${index}`);
                if (tensor.isDisposed)
                    throw new Error(`[${this.label}] ${name} of parameter ${index} was disposed`);
                if (parameter && sameShape(tensor.shape, parameter.shape)) continue;
                throw new Error(
                    `[${this.label}] ${name} of parameter ${index} has shape ${shapeText(tensor.shape)}, ` +
                        `expected ${parameter ? shapeText(parameter.shape) : 'no such parameter'}`,
                );
            }
        }
        const merged = this.paramGroups.map((group, i) => {
            const options = { ...group, ...definedOptions(saved.paramGroups[i] ?? {}), params: group.params };
            this.checkOptions(options);
            return options;
        });
        // Copies first: the memory may not be enough for them.
        const loaded: [Tensor, ParameterState][] = [];
        for (const [index, { step, tensors }] of Object.entries(saved.state)) {
            const parameter = parameters[Number(index)];
            if (!parameter) continue;
            const copies = Object.entries(tensors).map(([name, x]): [string, Tensor] => [
                name,
                keep(copyKernel(x, parameter.dtype)),
            ]);
            // At step 0 they are zeros: a loss scaler has left all steps out.
            const made = step === 0 ? { fresh: true, madeAt: 0 } : { fresh: false, madeAt: -1 };
            loaded.push([parameter, { step, ...made, tensors: new Map(copies), skipped: null }]);
        }
        this.paramGroups.forEach((group, i) => Object.assign(group, merged[i]));
        this.clearState();
        for (const [parameter, state] of loaded) this.state.set(parameter, state);
    }

    /** @internal Step counts and options, without the tensors. */
    saveState(): () => void {
        const steps = [...this.state.values()].map((state) => ({
            state,
            step: state.step,
            fresh: state.fresh,
        }));
        const groups = this.paramGroups.map((group) => ({ group, options: { ...group } }));
        return () => {
            for (const { state, step, fresh } of steps) Object.assign(state, { step, fresh });
            for (const { group, options } of groups) Object.assign(group, options);
        };
    }

    /** @internal What it keeps for a parameter. */
    tensorsOf(parameter: Tensor): Tensor[] {
        const state = this.state.get(parameter);
        if (!state) return [];
        return [...state.tensors.values(), ...(state.skipped ? [state.skipped] : [])];
    }

    /** Frees the state; the parameters stay. */
    dispose(): void {
        this.clearState();
    }

    [Symbol.dispose](): void {
        this.dispose();
    }

    /** Throws for options out of range. */
    protected abstract checkOptions(options: Required<Options>): void;

    /** Names of the tensors that this group keeps for each parameter. */
    protected abstract stateNames(group: ParamGroup<Options>): readonly string[];

    /** Applies one step to parameters of one group. */
    protected abstract update(updates: readonly Update[], group: ParamGroup<Options>): void;

    /** True in a step under a loss scaler. */
    protected get isScaled(): boolean {
        return this.scale !== null;
    }

    /** One native call for every 128 operands; each update hands over parameter, gradient and state, in this order. */
    protected runGroups(
        op: string,
        updates: readonly Update[],
        names: readonly string[],
        parameters: readonly Scalar[],
    ): void {
        const { scale } = this;
        const perCall = Math.floor(maxOperands / ((scale ? 3 : 2) + names.length));
        const inputs = scale ? [scale.found, ...(scale.multiplier ? [scale.multiplier] : [])] : [];
        for (let first = 0; first < updates.length; first += perCall) {
            const operands: Tensor[] = [];
            const copies: Tensor[] = [];
            for (const { parameter, gradient, state } of updates.slice(first, first + perCall)) {
                const aligned = alignGradient(gradient, parameter);
                if (aligned !== gradient) copies.push(aligned);
                operands.push(parameter, aligned, ...names.map((name) => stateTensor(state, name)));
                if (scale) operands.push(skipCountOf(state));
                parameter.version.value++;
            }
            run(op, inputs, operands, parameters, this.label);
            for (const copy of copies) copy.dispose();
        }
    }

    /** Ties a captured step to the groups and parameters that there are now. */
    private guardGroups(): void {
        if (!activeTracer()) return;
        const parts = (): object[] => this.paramGroups.flatMap((group) => [group, ...group.params]);
        const then = parts();
        guard(
            () => {
                const now = parts();
                return now.length === then.length && now.every((part, i) => part === then[i]);
            },
            () => `the parameters or groups of ${this.label} are others now`,
        );
    }

    /** Ties a captured step to how the state counts its steps. */
    private guardScale(updates: readonly Update[]): void {
        const { isScaled } = this;
        guard(
            () => updates.every(({ state }) => (state.skipped !== null) === isScaled),
            () => `${this.label} has been used ${isScaled ? 'without' : 'with'} a loss scaler`,
        );
    }

    private updateOf(parameter: Tensor, group: ParamGroup<Options>): Update[] {
        const gradient = parameter.grad;
        if (!gradient) return [];
        let state = this.state.get(parameter);
        if (!state) {
            state = { step: 0, fresh: false, madeAt: 0, tensors: new Map(), skipped: null };
            this.state.set(parameter, state);
        }
        const missing = this.stateNames(group).filter((name) => !state.tensors.has(name));
        if (missing.length > 0) settleSkips([state]);
        for (const name of missing) {
            state.tensors.set(name, keep(untraced(() => zerosLike(parameter))));
            state.fresh = true;
            state.madeAt = state.step;
        }
        if (this.scale) state.skipped ??= newSkipCount(parameter);
        followParameter(state, parameter);
        return [{ parameter, gradient, state }];
    }

    private clearState(): void {
        for (const { tensors, skipped } of this.state.values()) {
            for (const tensor of tensors.values()) tensor.dispose();
            skipped?.dispose();
        }
        this.state.clear();
    }

    private checkParameter(parameter: unknown): void {
        if (!(parameter instanceof Tensor)) throw noTensor(`[${this.label}] a parameter`, parameter);
        if (!parameter.isContiguous)
            throw new Error(
                `[${this.label}] a parameter of shape ${shapeText(parameter.shape)} is a view that is not contiguous; ` +
                    'make the leaf with clone() or contiguous()',
            );
        if (nodeOf(parameter) !== null)
            throw new Error(
                `[${this.label}] a tensor of shape ${shapeText(parameter.shape)} is the result of recorded ops; ` +
                    'only leaves can be optimized',
            );
        if (parameter.dtype !== 'float32' && parameter.dtype !== 'float64')
            throw new TypeError(
                `[${this.label}] parameters must be float32 or float64, got ${parameter.dtype}`,
            );
    }
}

/** The items of what should be parameters or groups; a model in their place is told what to hand over. */
function parameterList<T>(label: string, parameters: Iterable<T>): T[];
function parameterList(label: string, parameters: unknown): unknown[] {
    // Iterable as well: it would give its rows.
    if (parameters instanceof Tensor)
        throw new TypeError(
            `[${label}] expected a list of parameters, got a Tensor of shape ${shapeText(parameters.shape)}; write [parameter]`,
        );
    if (typeof parameters === 'object' && parameters !== null && Symbol.iterator in parameters) {
        if (!('parameters' in parameters)) return [...(parameters as Iterable<unknown>)];
    }
    const isModel = typeof parameters === 'object' && parameters !== null && 'parameters' in parameters;
    const hint = isModel ? 'pass model.parameters()' : 'pass those of a module: model.parameters()';
    throw new TypeError(
        `[${label}] expected a list of parameters, got ${describeValue(parameters)}; ${hint}`,
    );
}

/** @internal The kernels walk memory, so a gradient must lie as its parameter does. */
export function alignGradient(gradient: Tensor, parameter: Tensor): Tensor {
    if (gradient.isContiguous && parameter.isContiguous) return gradient;
    const same = parameter.strides.every(
        (stride, axis) => stride === gradient.strides[axis] || (parameter.shape[axis] ?? 1) <= 1,
    );
    return same ? gradient : noGrad(() => contiguous(gradient));
}

function definedOptions<T extends object>(options: T): T {
    return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

/** @internal The updates with the same `key`, each list behind its first one. */
export function groupUpdates(
    updates: readonly Update[],
    key: (update: Update) => number,
): [Update, Update[]][] {
    const groups = new Map<number, [Update, Update[]]>();
    for (const update of updates) {
        const group = groups.get(key(update));
        if (group) group[1].push(update);
        else groups.set(key(update), [update, [update]]);
    }
    return [...groups.values()];
}

/** @internal */
export function requireOption(
    label: string,
    name: string,
    value: number,
    valid: boolean,
    rule: string,
): void {
    if (!valid || typeof value !== 'number')
        throw new RangeError(`[${label}] ${name} must be ${rule}, got ${String(value)}`);
}
