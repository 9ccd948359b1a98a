import { isFloat } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { checkForward } from './anomaly.js';
import { isGradEnabled, withGradMode } from './grad_mode.js';
import { GradNode, nodeOf, type BackwardContext, type Edge, type Gradients } from './node.js';

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
    return (inputs, options) => {
        const recording =
            definition.backward !== undefined && isGradEnabled() && inputs.some((x) => x.needsGrad);
        if (!recording) return withGradMode(false, () => definition.forward(unrecorded, inputs, options));

        const saved: Tensor[] = [];
        const context: ForwardContext = {
            recording: true,
            save: (...tensors) => void saved.push(...tensors),
        };
        const result = withGradMode(false, () => definition.forward(context, inputs, options));
        const outputs: readonly Tensor[] = Array.isArray(result)
            ? (result as readonly Tensor[])
            : [result as Tensor];
        const isSingle = !Array.isArray(result);
        const node = new GradNode(
            name,
            inputs.map(edgeOf),
            inputs.map((x) => x.shape),
            options,
            (gradients, backwardContext) =>
                definition.backward?.(
                    (isSingle ? gradients[0] : gradients) as BackwardInput<Result>,
                    backwardContext as BackwardContext<Options>,
                ) ?? [],
            definition.differentiable === true,
        );
        for (const x of saved) node.save(x, !inputs.includes(x) && !outputs.includes(x));
        outputs.forEach((output, index) => {
            node.outputs.push({ shape: output.shape, dtype: output.dtype });
            if (!isFloat(output.dtype)) return;
            output.tapeLink = node;
            output.outputIndex = index;
            output.needsGrad = true;
        });
        checkForward(name, outputs);
        return result;
    };
}
