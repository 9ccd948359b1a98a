import { defineOp } from '../autograd/define_op.js';
import { run } from '../native/call.js';
import { shapeText } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { requireFloat, requireTensor } from './convert.js';
import { onesLike, zerosLike } from './create.js';
import { beginWrite } from './in_place.js';
import { installMethods } from './methods.js';

export interface BatchNormOptions {
    /** Use (and record) the statistics of this batch; else the running ones. Default false. */
    readonly training?: boolean;
    /** Share of the new statistics in the running ones; default 0.1. */
    readonly momentum?: number;
    /** Added to the variance; default 1e-5. */
    readonly eps?: number;
}

interface BatchNormSettings {
    readonly training: boolean;
    readonly momentum: number;
    readonly eps: number;
    readonly affine: boolean;
    /** Running mean and variance, or null where there are none. */
    readonly running: readonly [Tensor, Tensor] | null;
}

function parameters({ momentum, eps, training, affine }: BatchNormSettings): number[] {
    return [momentum, eps, training ? 1 : 0, affine ? 1 : 0];
}

// x [N, C, ...], (weight [C], bias [C]) -> y [N, C, ...]; running statistics are written in place
const batchNormOp = defineOp<readonly Tensor[], BatchNormSettings>({
    name: 'batch_norm',
    forward: (context, inputs, settings) => {
        const [x] = inputs as [Tensor];
        const { running, training } = settings;
        const channels = [x.shape[1] ?? 0];
        const statistics = x.dtype === 'float64' ? 'float64' : 'float32';
        const y = new Tensor(x.shape, x.dtype);
        const mean = new Tensor(channels, statistics);
        const inverse = new Tensor(channels, statistics);
        const outputs = [y, mean, inverse];
        if (training && running) outputs.push(...running);
        run('batch_norm', training ? inputs : [...inputs, ...(running ?? [])], outputs, parameters(settings));
        if (context.recording) {
            context.save(...inputs.slice(0, 2), mean, inverse);
        } else {
            mean.dispose();
            inverse.dispose();
        }
        return y;
    },
    backward: (dy, { saved, options, needs }) => {
        const [x] = saved as [Tensor];
        const weight = options.affine ? saved.slice(1, 2) : [];
        const [mean, inverse] = saved.slice(-2) as [Tensor, Tensor];
        const dx = new Tensor(x.shape, x.dtype);
        const dweight = new Tensor(mean.shape, weight[0]?.dtype ?? mean.dtype);
        const dbias = new Tensor(mean.shape, dweight.dtype);
        run(
            'batch_norm_backward',
            [dy, x, mean, inverse, ...weight],
            [dx, dweight, dbias],
            parameters(options),
        );
        return [needs[0] ? dx : null, ...(options.affine ? [dweight, dbias] : [])];
    },
});

function checkChannelVector(op: string, name: string, value: Tensor | null, channels: number): void {
    if (value === null) return;
    requireTensor(op, value, name);
    requireFloat(op, value);
    if (value.rank !== 1 || value.shape[0] !== channels) {
        throw new RangeError(
            `[${op}] ${name} has shape ${shapeText(value.shape)}, expected [${channels}]: one value per channel`,
        );
    }
}

/** Weight and bias for the tape: both, or none; a missing one becomes ones or zeros. */
function affineInputs(weight: Tensor | null, bias: Tensor | null): Tensor[] {
    if (weight) return [weight, bias ?? zerosLike(weight)];
    return bias ? [onesLike(bias), bias] : [];
}

function positive(op: string, name: string, value: number): number {
    if (!Number.isFinite(value) || value < 0)
        throw new RangeError(`[${op}] ${name} must be a finite number of at least 0, got ${value}`);
    return value;
}

/**
 * Batch normalisation: y = (x - mean) / sqrt(variance + eps) weight + bias, per channel.
 *
 * In training, mean and (biased) variance are those of the batch over all axes but 1, and the running statistics become
 * (1 - momentum) running + momentum new, with the unbiased variance; else the running statistics are used.
 *
 * x [N, C, ...]; weight, bias, runningMean, runningVar: [C] or null. Float dtypes.
 *
 * Source: Ioffe and Szegedy, "Batch normalization", ICML 2015.
 *
 * @throws RangeError when a vector is not [C], when training has one value per channel, or when neither training nor
 * running statistics are given.
 * @example
 * import { batchNorm, tensor } from 'nativegrad';
 * const y = batchNorm(tensor([[1], [3]]), null, null, null, null, { training: true });
 * console.log(y.toArray()); // [[-0.99…], [0.99…]]
 */
export function batchNorm(
    x: Tensor,
    weight: Tensor | null = null,
    bias: Tensor | null = null,
    runningMean: Tensor | null = null,
    runningVar: Tensor | null = null,
    options: BatchNormOptions = {},
): Tensor {
    const op = 'batch_norm';
    requireTensor(op, x);
    requireFloat(op, x);
    if (x.rank < 2) throw new RangeError(`[${op}] expects an input [N, C, ...], got ${shapeText(x.shape)}`);
    const channels = x.shape[1] ?? 0;
    for (const [name, value] of Object.entries({ weight, bias, runningMean, runningVar }))
        checkChannelVector(op, name, value, channels);
    const training = options.training ?? false;
    if ((runningMean === null) !== (runningVar === null))
        throw new RangeError(`[${op}] runningMean and runningVar come together; one of them is missing`);
    if (!training && runningMean === null) {
        throw new RangeError(`[${op}] needs runningMean and runningVar, or { training: true }`);
    }
    if (training && channels > 0 && x.size / channels === 1) {
        throw new RangeError(
            `[${op}] needs more than one value per channel in training, got ${shapeText(x.shape)}; ` +
                'use a larger batch (drop the last one), or eval mode',
        );
    }
    if (training && runningMean && runningVar)
        for (const statistics of [runningMean, runningVar]) beginWrite(op, statistics);
    return batchNormOp([x, ...affineInputs(weight, bias)], {
        training,
        momentum: positive(op, 'momentum', options.momentum ?? 0.1),
        eps: positive(op, 'eps', options.eps ?? 1e-5),
        affine: weight !== null || bias !== null,
        running: runningMean && runningVar ? [runningMean, runningVar] : null,
    });
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        batchNorm(
            weight?: Tensor | null,
            bias?: Tensor | null,
            runningMean?: Tensor | null,
            runningVar?: Tensor | null,
            options?: BatchNormOptions,
        ): Tensor;
    }
}

installMethods({ batchNorm });
