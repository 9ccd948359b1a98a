import type { Shape } from '../tensor/shape.js';
import { describeValue } from '../support/describe_value.js';
import { noTensor } from '../tensor/require_tensor.js';
import { Tensor, viewOf } from '../tensor/tensor.js';
import { checkForward } from './anomaly.js';
import { exchangeGradMode, isGradEnabled } from './grad_mode.js';
import {
    GradNode,
    nodeOf,
    type BackwardContext,
    type BackwardRule,
    type Edge,
    type Gradients,
} from './node.js';

/** What a forward function gets besides inputs and options. */
export interface ForwardContext {
    /** True when the call is recorded; only then is saving of any use. */
    readonly recording: boolean;
    /** Keeps tensors for backward. Those that are neither inputs nor outputs are freed with the tape. */
    save(...tensors: Tensor[]): void;
}

type Outputs = Tensor | readonly Tensor[];

type BackwardInput<Result extends Outputs> = Result extends Tensor ? Tensor : readonly (Tensor | null)[];

/** An op: shape rule and forward in one function, backward beside it. */
export interface OpDefinition<Inputs extends readonly Tensor[], Options, Result extends Outputs> {
    /** Name in error messages, in snake_case as in the op table. */
    readonly name: string;
    /** Checks shapes and dtypes, computes the outputs, saves what backward needs. Runs unrecorded. */
    forward(context: ForwardContext, inputs: Inputs, options: Options): Result;
    /**
     * Gradients of the inputs from those of the outputs; null where there is none. A gradient may have a shape that the
     * input was broadcast to: the tape sums it back.
     */
    backward?(gradient: BackwardInput<Result>, context: BackwardContext<Options>): Gradients;
    /** True when backward is written in recorded ops, so that second derivatives exist. */
    readonly differentiable?: boolean;
}

const names = new Set<string>();

/** @internal Names of every op made by `defineOp` that has a backward function. */
export const differentiableOps: ReadonlySet<string> = names;

const unrecorded: ForwardContext = { recording: false, save: () => undefined };

/** What the forward function that runs now has saved. */
let savedNow: Tensor[] = [];

const recorded: ForwardContext = {
    recording: true,
    save: (...tensors) => {
        for (const x of tensors) savedNow.push(x);
    },
};

/** Whether one of the inputs needs a gradient; here every op meets its inputs, so strangers are refused here. */
function needsGradient(op: string, inputs: readonly unknown[]): boolean {
    let needs = false;
    for (let i = 0; i < inputs.length; i++) {
        const x = inputs[i];
        if (!(x instanceof Tensor)) refuseInput(op, inputs, x);
        if (x.needsGrad) needs = true;
    }
    return needs;
}

function refuseInput(op: string, inputs: readonly unknown[], x: unknown): never {
    throw noTensor(`[${op}] input ${inputs.indexOf(x)}`, x);
}

function noInputs(op: string, inputs: unknown): TypeError {
    return new TypeError(
        `[${op}] takes a list of its input tensors, got ${describeValue(inputs)}; call it as op([x], {})`,
    );
}

/** What a forward function gave: a tensor, or a list of them. */
function requireOutputs<Result extends Outputs>(op: string, result: Result): Result {
    if (result instanceof Tensor) return result;
    if (!Array.isArray(result)) throw noTensor(`[${op}] what forward returns`, result);
    const list: readonly unknown[] = result;
    for (const x of list)
        if (!(x instanceof Tensor)) throw noTensor(`[${op}] output ${list.indexOf(x)} of forward`, x);
    return result;
}

/** The definition may come from JavaScript. */
function checkDefinition(
    definition: Readonly<Partial<Record<'name' | 'forward' | 'backward', unknown>>>,
): void {
    if (typeof definition !== 'object' || definition === null)
        throw new TypeError(
            `[defineOp] expected { name, forward, backward }, got ${describeValue(definition)}`,
        );
    const { name, forward, backward } = definition;
    if (typeof name !== 'string' || name === '')
        throw new TypeError(`[defineOp] name must be a string such as 'cube', got ${describeValue(name)}`);
    if (typeof forward !== 'function')
        throw new TypeError(
            `[defineOp] forward of '${name}' must be a function (context, inputs, options) => Tensor, got ${describeValue(forward)}`,
        );
    if (backward !== undefined && typeof backward !== 'function')
        throw new TypeError(
            `[defineOp] backward of '${name}' must be a function (gradient, context) => gradients, got ${describeValue(backward)}`,
        );
}

function shapeOf(x: Tensor): Shape {
    return x.shape;
}

function edgeOf(x: Tensor): Edge | null {
    if (!x.needsGrad) return null;
    const node = nodeOf(x);
    return { node, outputIndex: x.outputIndex, leaf: node ? null : x, shape: x.shape, dtype: x.dtype };
}

/**
 * Makes an op out of a forward and a backward function. Use it for your own: the result records itself on the tape like
 * every built-in op. Calls throw a TypeError that names the op where an input, an output or a gradient is no tensor.
 *
 * @throws TypeError for a definition without a name or a forward function.
 * @example
 * import { defineOp, tensor } from 'nativegrad';
 * const cube = defineOp({
 *     name: 'cube',
 *     forward: (context, [x]) => {
 *         context.save(x);
 *         return x.mul(x).mul(x);
 *     },
 *     backward: (dy, { saved: [x] }) => [dy.mul(x.square()).mul(3)],
 *     differentiable: true,
 * });
 * const x = tensor([2], { requiresGrad: true });
 * cube([x], {}).sum().backward();
 * console.log(x.grad?.item()); // 12
 */
export function defineOp<
    Inputs extends readonly Tensor[] = readonly [Tensor],
    Options = object,
    Result extends Outputs = Tensor,
>(definition: OpDefinition<Inputs, Options, Result>): (inputs: Inputs, options: Options) => Result {
    checkDefinition(definition);
    const { name } = definition;
    if (definition.backward) names.add(name);
    const rule: BackwardRule = {
        backward: (gradients, context, isSingle) =>
            definition.backward?.(
                (isSingle ? gradients[0] : gradients) as BackwardInput<Result>,
                context as BackwardContext<Options>,
            ) ?? [],
        differentiable: definition.differentiable === true,
    };

    function forward(context: ForwardContext, inputs: Inputs, options: Options): Result {
        const mode = exchangeGradMode(false);
        try {
            return requireOutputs(name, definition.forward(context, inputs, options));
        } finally {
            exchangeGradMode(mode);
        }
    }

    function record(inputs: Inputs, options: Options): Result {
        const outer = savedNow;
        const saved: Tensor[] = (savedNow = []);
        let result: Result;
        try {
            result = forward(recorded, inputs, options);
        } finally {
            savedNow = outer;
        }
        const isSingle = !Array.isArray(result);
        // An output that is an input, or was recorded before, belongs to another node: this one gets a view.
        const outputs = ((isSingle ? [result] : result) as readonly Tensor[]).map((x) =>
            inputs.includes(x) || x.tapeLink !== null ? viewOf(x, x.shape, x.strides) : x,
        );
        const node = new GradNode(name, inputs.map(edgeOf), inputs.map(shapeOf), options, rule, isSingle);
        for (const x of saved) node.save(x, !inputs.includes(x) && !outputs.includes(x));
        for (const output of outputs) node.addOutput(output);
        checkForward(name, outputs);
        return (isSingle ? outputs[0] : outputs) as Result;
    }

    return (inputs, options) => {
        if (!Array.isArray(inputs)) throw noInputs(name, inputs);
        const needs = needsGradient(name, inputs);
        return needs && definition.backward !== undefined && isGradEnabled()
            ? record(inputs, options)
            : forward(unrecorded, inputs, options);
    };
}
