import { backward as runBackward, addHook, retainGrad, setRequiresGrad } from '../autograd/gradients.js';
import type { BackwardOptions } from '../autograd/backward.js';
import { nodeOf, type GradientHook } from '../autograd/node.js';
import { installTapeServices } from '../autograd/services.js';
import { viewOf, Tensor } from '../tensor/tensor.js';
import { add } from './arithmetic.js';
import { cast, clone, contiguous, requireTensor } from './convert.js';
import { onesLike } from './create.js';
import { compareKernel, copyKernel, reduceKernel } from './kernels.js';
import { installMethods } from './methods.js';
import { sumTo } from './reduce.js';

installTapeServices({
    add,
    sumTo,
    cast,
    copy: (x) => copyKernel(x),
    onesLike,
    hasNaN: (x) => {
        const different = compareKernel('ne', x, x, x.dtype);
        const any = reduceKernel(
            'any',
            different,
            different.shape.map((_, axis) => axis),
            false,
        );
        const found = any.item() !== 0;
        different.dispose();
        any.dispose();
        return found;
    },
});

/** A tensor that shares storage with x but is cut off from the tape. */
export function detach(x: Tensor): Tensor {
    requireTensor('detach', x);
    return viewOf(x, x.shape, x.strides);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        /** Adds the gradients of this tensor to the `.grad` of every leaf that it was computed from. */
        backward(gradient?: Tensor, options?: BackwardOptions): void;
        detach(): Tensor;
        clone(): Tensor;
        contiguous(): Tensor;
        /** Keeps the gradient of an intermediate tensor in its `.grad`; further passes add to it. */
        retainGrad(): Tensor;
        /**
         * Calls `hook` with this tensor's gradient in each backward pass: what it returns is taken in the gradient's place.
         * On a leaf it sees the sum of the pass, before that is added to `.grad`. Returns the function that removes it.
         */
        registerHook(hook: GradientHook): () => void;
        /** Whether ops on this tensor are recorded; may be set on leaves. */
        requiresGrad: boolean;
        /** True for a tensor that was not made by a recorded op. */
        readonly isLeaf: boolean;
    }
}

installMethods({
    backward: (x: Tensor, gradient?: Tensor, options?: BackwardOptions) => runBackward(x, gradient, options),
    detach,
    clone,
    contiguous,
    retainGrad: (x: Tensor) => {
        retainGrad(x);
        return x;
    },
    registerHook: (x: Tensor, hook: GradientHook) => addHook(x, hook),
});

Object.defineProperties(Tensor.prototype, {
    requiresGrad: {
        get(this: Tensor): boolean {
            return this.needsGrad;
        },
        set(this: Tensor, required: boolean) {
            setRequiresGrad(this, required);
        },
    },
    isLeaf: {
        get(this: Tensor): boolean {
            return nodeOf(this) === null;
        },
    },
});
