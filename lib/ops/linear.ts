import { lowPrecision } from './autocast.js';
import { defineOp } from '../autograd/define_op.js';
import { shapeText, sizeOf } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { requireTensor } from './convert.js';
import { runNew } from './kernels.js';
import { multiply } from './matmul.js';
import { sum } from './reduce.js';
import { reshape } from './shape_ops.js';

// x [M, K], w [N, K](, b [N]) -> [M, N]
const linearOp = defineOp<readonly Tensor[]>({
    name: 'linear',
    forward: (context, inputs) => {
        const [x, w] = inputs as [Tensor, Tensor];
        context.save(x, w);
        return runNew('linear', inputs, [x.shape[0] ?? 0, w.shape[0] ?? 0], x.dtype);
    },
    backward: (dy, { saved, needs }) => {
        const [x, w] = saved as [Tensor, Tensor];
        const [wantsX, wantsW, wantsBias] = needs;
        const dx = wantsX ? multiply(dy, w) : null;
        const dw = wantsW ? multiply(dy, x, true) : null;
        return needs.length === 2 ? [dx, dw] : [dx, dw, wantsBias ? sum(dy, 0) : null];
    },
    differentiable: true,
});

function checkLinear(x: Tensor, weight: Tensor, bias: Tensor | null): void {
    if (weight.rank !== 2) {
        throw new RangeError(`[linear] the weight must be [out, in], got ${shapeText(weight.shape)}`);
    }
    if (x.rank === 0 || x.shape[x.rank - 1] !== weight.shape[1]) {
        throw new RangeError(
            `[linear] inner dimensions differ: x ${shapeText(x.shape)}, weight ${shapeText(weight.shape)}; ` +
                `the last dimension of x must be ${weight.shape[1] ?? 0}`,
        );
    }
    if (bias && (bias.rank !== 1 || bias.shape[0] !== weight.shape[0])) {
        throw new RangeError(
            `[linear] the bias must be [${weight.shape[0] ?? 0}] for a weight ${shapeText(weight.shape)}, ` +
                `got ${shapeText(bias.shape)}`,
        );
    }
    const stranger = weight.dtype !== x.dtype ? weight : bias;
    if (stranger && stranger.dtype !== x.dtype) {
        throw new TypeError(
            `[linear] dtypes differ: ${x.dtype} and ${stranger.dtype}; cast one with x.to('${stranger.dtype}')`,
        );
    }
    if (x.dtype === 'bool')
        throw new TypeError("[linear] is not defined for bool; cast with x.to('float32')");
}

/**
 * x W^T + b over the last dimension of x: `x` [..., in], `weight` [out, in], `bias` [out] or none -> [..., out].
 *
 * @throws RangeError when the shapes do not fit; TypeError when the dtypes differ.
 * @example
 * import { linear, ones } from 'nativegrad';
 * console.log(linear(ones([64, 784]), ones([10, 784]), ones([10])).shape); // [64, 10]
 */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
    requireTensor('linear', x);
    requireTensor('linear', weight, 'the weight');
    if (bias !== null) requireTensor('linear', bias, 'the bias');
    return product(lowPrecision(x), lowPrecision(weight), lowPrecision(bias));
}

function product(x: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
    checkLinear(x, weight, bias);
    const [outputs = 0, inputs = 0] = weight.shape;
    const leading = x.shape.slice(0, -1);
    const rows = x.rank === 2 ? x : reshape(x, [sizeOf(leading), inputs]);
    const y = linearOp(bias ? [rows, weight, bias] : [rows, weight], {});
    return x.rank === 2 ? y : reshape(y, [...leading, outputs]);
}
