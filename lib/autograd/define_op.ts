import type { Shape } from '../tensor/shape.js';
import { viewOf, type Tensor } from '../tensor/tensor.js';
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

function needsGradient(inputs: readonly Tensor[]): boolean {
    for (const x of inputs) if (x.needsGrad) return true;
    return false;
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
 * every built-in op.
 *
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
            return definition.forward(context, inputs, options);
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

    return (inputs, options) =>
        definition.backward !== undefined && isGradEnabled() && needsGradient(inputs)
            ? record(inputs, options)
            : forward(unrecorded, inputs, options);
}
