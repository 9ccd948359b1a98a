import { defineOp } from '../autograd/define_op.js';
import type { Tensor } from '../tensor/tensor.js';
import { binaryKernel, unaryKernel } from './kernels.js';
import { installMethods } from './methods.js';

const reluBackwardOp = defineOp<readonly [Tensor, Tensor]>({
    name: 'relu_backward',
    forward: (context, [dy, y]) => {
        context.save(y);
        return binaryKernel('relu_backward', dy, y, dy.dtype);
    },
    backward: (gradient, { saved: [y] }) => [reluBackward(gradient, y), null],
    differentiable: true,
});

function reluBackward(dy: Tensor, y: Tensor): Tensor {
    return reluBackwardOp([dy, y], {});
}

const reluOp = defineOp({
    name: 'relu',
    forward: (context, [x]) => {
        const y = unaryKernel('relu', x);
        context.save(y);
        return y;
    },
    backward: (dy, { saved: [y] }) => [reluBackward(dy, y)],
    differentiable: true,
});

/** max(x, 0); the gradient at 0 is 0, NaN stays NaN. */
export function relu(x: Tensor): Tensor {
    return reluOp([x], {});
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        relu(): Tensor;
    }
}

installMethods({ relu });
