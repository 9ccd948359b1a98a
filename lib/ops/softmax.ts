import { defineOp } from '../autograd/define_op.js';
import { normalizeAxis } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { fullPrecision } from './autocast.js';
import { cast, floatDtype, requireFloat, requireTensor } from './convert.js';
import { reduceKernel, runNew } from './kernels.js';
import { installMethods } from './methods.js';
import { reduceOptions, spread, sum, type Axes, type ReduceOptions } from './reduce.js';
import { reshape } from './shape_ops.js';
import { exp } from './unary.js';

interface SoftmaxOptions {
    readonly axis: number;
    readonly log: boolean;
}

const parametersOf = ({ axis, log }: SoftmaxOptions): number[] => [axis, Number(log)];

// dy [...], y [...] -> dx [...]: y (dy - sum dy y), or with log: dy - exp(y) sum dy
const softmaxBackwardOp = defineOp<readonly [Tensor, Tensor], SoftmaxOptions>({
    name: 'softmax_backward',
    forward: (context, [dy, y], options) => {
        context.save(dy, y);
        return runNew('softmax_backward', [dy, y], y.shape, y.dtype, parametersOf(options));
    },
    backward: (g, { saved, options, needs }) => {
        const [dy, y] = saved as [Tensor, Tensor];
        const { axis, log } = options;
        const along = (x: Tensor): Tensor => sum(x, axis, true);
        if (log) {
            const p = exp(y);
            return [
                needs[0] ? g.sub(along(g.mul(p))) : null,
                needs[1] ? g.mul(p).mul(along(dy)).mul(-1) : null,
            ];
        }
        return [
            needs[0] ? softmaxBackward(g, y, options) : null,
            needs[1] ? g.mul(dy.sub(along(dy.mul(y)))).sub(dy.mul(along(g.mul(y)))) : null,
        ];
    },
    differentiable: true,
});

function softmaxBackward(dy: Tensor, y: Tensor, options: SoftmaxOptions): Tensor {
    return softmaxBackwardOp([dy, y], options);
}

function defineSoftmax(name: string, log: boolean): (x: Tensor, axis: number) => Tensor {
    const op = defineOp<readonly [Tensor], SoftmaxOptions>({
        name,
        forward: (context, [x], options) => {
            const y = runNew('softmax', [x], x.shape, x.dtype, parametersOf(options), name);
            context.save(y);
            return y;
        },
        backward: (dy, { saved: [y], options }) => [softmaxBackward(dy, y, options)],
        differentiable: true,
    });
    const apply = (x: Tensor, axis: number): Tensor => {
        requireTensor(name, x);
        requireFloat(name, x);
        const at = normalizeAxis(name, axis, x.rank);
        return x.rank === 0
            ? reshape(apply(reshape(x, [1]), 0), [])
            : op([fullPrecision(x)], { axis: at, log });
    };
    return apply;
}

const [softmaxOf, logSoftmaxOf] = [defineSoftmax('softmax', false), defineSoftmax('log_softmax', true)];

/**
 * exp(x) / sum exp(x) along an axis, without overflow. A row of -Infinity, or one that holds +Infinity or NaN, gives NaN.
 *
 * @throws TypeError for integers.
 */
export function softmax(x: Tensor, axis = -1): Tensor {
    return softmaxOf(x, axis);
}

/** x - log sum exp(x) along an axis: the logarithm of `softmax`, exact where that is too small for its dtype. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
    return logSoftmaxOf(x, axis);
}

const logsumexpOp = defineOp<readonly [Tensor], ReduceOptions>({
    name: 'logsumexp',
    forward: (context, [x], { axes, keepDims }) => {
        const y = reduceKernel('logsumexp', x, axes, keepDims);
        context.save(x, y);
        return y;
    },
    backward: (dy, { saved, options: { axes } }) => {
        const [x, y] = saved as [Tensor, Tensor];
        return [spread(dy, x.shape, axes).mul(exp(x.sub(spread(y, x.shape, axes))))];
    },
    differentiable: true,
});

/** log sum exp(x) over axes (all by default), without overflow; of nothing it is -Infinity. Integers give float32. */
export function logsumexp(x: Tensor, axes?: Axes, keepDims = false): Tensor {
    const options = reduceOptions('logsumexp', x, axes, keepDims);
    return logsumexpOp([fullPrecision(cast(x, floatDtype(x.dtype)))], options);
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        softmax(axis?: number): Tensor;
        logSoftmax(axis?: number): Tensor;
        logsumexp(axes?: Axes, keepDims?: boolean): Tensor;
    }
}

installMethods({ softmax, logSoftmax, logsumexp });
