import { defineOp } from '../autograd/define_op.js';
import { run } from '../native/call.js';
import { isFloat } from '../tensor/dtype.js';
import { sameShape, shapeText, sizeOf } from '../tensor/shape.js';
import { Tensor, viewOf } from '../tensor/tensor.js';
import { add, div, mul } from './arithmetic.js';
import { eq, logicalAnd } from './compare.js';
import { cast, requireTensor } from './convert.js';
import { reduceKernel, runNew } from './kernels.js';
import { sum } from './reduce.js';
import { logSoftmax } from './softmax.js';
import { permute, reshape, unsqueeze } from './shape_ops.js';
import { maskedFill } from './where.js';

/** How a loss joins its terms. */
export type Reduction = 'mean' | 'sum' | 'none';

export interface CrossEntropyOptions {
    /** Default: mean, weighted by the class weights of the targets. */
    readonly reduction?: Reduction;
    /** Share of the target that is spread evenly over the classes, in [0, 1]. Default: 0. */
    readonly labelSmoothing?: number;
    /** One factor a class [C], in the dtype of the scores. */
    readonly weight?: Tensor | null;
    /** Label that counts for nothing. Default: -100. Of no effect on class probabilities. */
    readonly ignoreIndex?: number;
}

interface LabelOptions {
    readonly reduction: Reduction;
    readonly ignoreIndex: number;
    readonly labelSmoothing: number;
}

export function requireReduction(op: string, reduction: Reduction): void {
    if (reduction !== 'mean' && reduction !== 'sum' && reduction !== 'none')
        throw new TypeError(`[${op}] reduction must be mean, sum or none, got ${String(reduction)}`);
}

// scores [N, C], labels [N], (weights [C]) -> loss [] or losses [N]
const crossEntropyOp = defineOp<readonly Tensor[], LabelOptions>({
    name: 'cross_entropy',
    forward: (context, inputs, { reduction, ignoreIndex, labelSmoothing }) => {
        const [x, labels, weight] = inputs as [Tensor, Tensor, Tensor | undefined];
        const losses = new Tensor(labels.shape, x.dtype);
        run('cross_entropy', inputs, [losses], [ignoreIndex, labelSmoothing]);
        if (reduction === 'none') {
            context.save(...inputs);
            return losses;
        }
        if (reduction === 'sum') {
            context.save(...inputs);
            const total = reduceKernel('sum', losses, [0], false);
            losses.dispose();
            return total;
        }
        const mean = new Tensor([], x.dtype);
        // Of more than 65504 labels, float16 would have none.
        const divisor = new Tensor([], x.dtype === 'float64' ? 'float64' : 'float32');
        run('label_mean', [losses, ...inputs.slice(1)], [mean, divisor], [ignoreIndex]);
        losses.dispose();
        context.save(x, labels, divisor, ...(weight ? [weight] : []));
        return mean;
    },
    backward: (dy, { saved, options, shapes }) => {
        const [x, labels] = saved as [Tensor, Tensor];
        const dLosses = dy.rank === 0 ? viewOf(dy, labels.shape, [0]) : dy;
        const parameters = [
            options.ignoreIndex,
            options.labelSmoothing,
            options.reduction === 'mean' ? 1 : 0,
        ];
        const dx = runNew('cross_entropy_backward', [dLosses, ...saved], x.shape, x.dtype, parameters);
        return [dx, ...shapes.slice(1).map(() => null)];
    },
});

/** Brings classes to the last of two dimensions: [N, C, d...] -> [N * d..., C], [C] -> [1, C]. */
function rowsOfClasses(x: Tensor): Tensor {
    if (x.rank === 1) return unsqueeze(x, 0);
    if (x.rank === 2) return x;
    const order = [0, ...x.shape.slice(2).map((_, i) => i + 2), 1];
    return reshape(permute(x, order), [-1, x.shape[1] ?? 1]);
}

/** The class weights, checked; undefined where there are none. */
export function requireWeight(
    op: string,
    x: Tensor,
    weight: Tensor | null | undefined,
    classes: number,
): Tensor | undefined {
    if (!weight) return undefined;
    requireTensor(op, weight, 'the class weights');
    if (!sameShape(weight.shape, [classes]) || !isFloat(weight.dtype)) {
        throw new RangeError(
            `[${op}] class weights must be a float tensor [${classes}] for scores ${shapeText(x.shape)}, ` +
                `got ${weight.dtype} ${shapeText(weight.shape)}`,
        );
    }
    return weight;
}

/** Labels are integers in the shape of the scores without the class dimension. */
export function requireLabels(op: string, x: Tensor, labels: Tensor): void {
    const expected = x.rank === 1 ? [] : [...x.shape.slice(0, 1), ...x.shape.slice(2)];
    if (!sameShape(labels.shape, expected)) {
        throw new RangeError(
            `[${op}] labels must be ${shapeText(expected)} for scores ${shapeText(x.shape)}, got ` +
                `${shapeText(labels.shape)}; for probabilities or one-hot rows pass ${shapeText(x.shape)}`,
        );
    }
    if (isFloat(labels.dtype) || labels.dtype === 'bool') {
        throw new TypeError(`[${op}] labels must be integers, got ${labels.dtype}; cast with y.to('int64')`);
    }
}

/** Cross entropy against one label a row; see `crossEntropy` in lib/nn, which also takes probabilities. */
export function labelCrossEntropy(x: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): Tensor {
    requireLabels('cross_entropy', x, labels);
    const classes = x.shape[x.rank === 1 ? 0 : 1] ?? 0;
    const weight = requireWeight('cross_entropy', x, options.weight, classes);
    const rows = rowsOfClasses(x);
    const flat = labels.rank === 1 ? labels : reshape(labels, [sizeOf(labels.shape)]);
    const loss = crossEntropyOp(weight ? [rows, flat, weight] : [rows, flat], {
        reduction: options.reduction ?? 'mean',
        ignoreIndex: options.ignoreIndex ?? -100,
        labelSmoothing: options.labelSmoothing ?? 0,
    });
    return loss.rank === 1 && labels.rank !== 1 ? reshape(loss, labels.shape) : loss;
}

/** log softmax(x), with 0 where a class that the target excludes has no probability at all: 0 log 0 counts for nothing. */
function logProbabilities(x: Tensor, target: Tensor, axis: number): Tensor {
    const logp = logSoftmax(x, axis);
    const excluded = logicalAnd(eq(logp, -Infinity), eq(target, 0));
    return maskedFill(logp, excluded, 0);
}

/**
 * Cross entropy against probabilities or one-hot rows in the shape of the scores: -sum_c p_c log softmax(x)_c, in log space, so
 * no clamp is needed. A score of -Infinity costs nothing where p is 0 (PyTorch gives NaN there), and Infinity elsewhere.
 */
export function probabilityCrossEntropy(
    x: Tensor,
    probabilities: Tensor,
    options: CrossEntropyOptions = {},
): Tensor {
    const axis = x.rank === 1 ? 0 : 1;
    const classes = x.shape[axis] ?? 1;
    const weight = requireWeight('cross_entropy', x, options.weight, classes);
    const smoothing = options.labelSmoothing ?? 0;
    let target = cast(probabilities, x.dtype);
    if (smoothing > 0) target = add(mul(target, 1 - smoothing), smoothing / classes);
    const perClass = x.shape.map((_, i) => (i === axis ? classes : 1));
    if (weight) target = mul(target, reshape(weight, perClass));
    const losses = mul(sum(mul(logProbabilities(x, target, axis), target), axis), -1);
    const reduction = options.reduction ?? 'mean';
    if (reduction === 'none') return losses;
    const total = sum(losses);
    return reduction === 'sum' ? total : div(total, losses.size);
}
