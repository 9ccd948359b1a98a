import type { Tensor } from '../../../lib/index.js';
import { fromTypedArray, nn, optim } from '../../../lib/index.js';
import type { GoldenOptions } from '../../support/golden.js';
import { tensorAt, type GoldenCall, type GoldenCalls } from './call.js';

type Kind = new (parameters: nn.Parameter[], options: object) => optim.Optimizer;

/** The parameter after each step, as rows. */
const steps =
    (kind: Kind): GoldenCall =>
    (operands, options) => {
        const [start, gradients] = [tensorAt(operands, 0), tensorAt(operands, 1)];
        const parameter = new nn.Parameter(start.clone());
        const optimizer = new kind([parameter], options);
        const [count, size] = gradients.shape;
        const rows = new Float64Array(count * size);
        for (let step = 0; step < count; step++) {
            parameter.grad = gradients.select(0, step).clone();
            optimizer.step();
            rows.set(Array.from(parameter.dataSync(), Number), step * size);
        }
        return fromTypedArray(rows, [count, size], { dtype: start.dtype });
    };

function withGradients(operands: Parameters<GoldenCall>[0]): nn.Parameter[] {
    return operands.map((_, i) => {
        const gradient = tensorAt(operands, i);
        const parameter = new nn.Parameter(gradient.clone());
        parameter.grad = gradient.clone();
        return parameter;
    });
}

const gradients = (parameters: readonly nn.Parameter[]): Tensor[] =>
    parameters.map(({ grad }) => grad).filter((x) => x !== null);

const clipping: GoldenCalls = {
    clip_grad_norm: (operands, { maxNorm, order }) => {
        const parameters = withGradients(operands);
        const norm = optim.clipGradNorm(parameters, maxNorm as number, { order: Number(order) });
        return [norm, ...gradients(parameters)];
    },
    clip_grad_value: (operands, { clipValue }) => {
        const parameters = withGradients(operands);
        optim.clipGradValue(parameters, clipValue as number);
        return gradients(parameters);
    },
};

type MakeSchedule = (optimizer: optim.Optimizer, options: never) => optim.Schedule;

/** An optimizer of the rate among the options, and those of the schedule. */
function optimizerAt({ lr, ...options }: GoldenOptions): [optim.SGD, GoldenOptions] {
    const parameter = new nn.Parameter(fromTypedArray(new Float64Array(1), [1]));
    return [new optim.SGD([parameter], { lr: lr as number }), options];
}

/** The rates of twelve steps. */
const rates =
    (make: MakeSchedule): GoldenCall =>
    (_, options) => {
        const [optimizer, own] = optimizerAt(options);
        const schedule = make(optimizer, own as never);
        const found: number[] = [];
        for (let step = 0; step < 12; step++) {
            if (step > 0) schedule.step();
            found.push(optimizer.paramGroups[0].lr);
        }
        return fromTypedArray(Float64Array.from(found), [12]);
    };

const schedules: GoldenCalls = {
    step_lr: rates((o, options) => new optim.StepLR(o, options)),
    exponential_lr: rates((o, options) => new optim.ExponentialLR(o, options)),
    cosine_annealing_lr: rates((o, options) => new optim.CosineAnnealingLR(o, options)),
    linear_lr: rates((o, options) => new optim.LinearLR(o, options)),
    one_cycle_lr: rates((o, options) => new optim.OneCycleLR(o, options)),
    reduce_lr_on_plateau: (operands, options) => {
        const [optimizer, own] = optimizerAt(options);
        const schedule = new optim.ReduceLROnPlateau(optimizer, own);
        const metrics = tensorAt(operands, 0);
        const found = Array.from(metrics.dataSync(), Number).map((metric) => {
            schedule.step(metric);
            return schedule.rates[0];
        });
        return fromTypedArray(Float64Array.from(found), metrics.shape, { dtype: metrics.dtype });
    },
};

export const optimizerCalls: GoldenCalls = {
    sgd: steps(optim.SGD),
    adam: steps(optim.Adam),
    adamw: steps(optim.AdamW),
    rmsprop: steps(optim.RMSprop),
    ...clipping,
    ...schedules,
};
