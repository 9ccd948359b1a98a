import type * as nn from '../nn/index.js';
import { manualSeed } from '../ops/index.js';
import * as optim from '../optim/index.js';
import { buildClassifier, initializeClassifier } from '../train/classifier.js';
import { classifierLoss } from '../train/classifier_loss.js';
import { Trainer } from '../train/trainer.js';
import type { TrainerOptions } from '../train/trainer_options.js';
import type { Device } from '../tensor/device.js';
import type { TrainConfig } from './train_flags.js';
import { UsageError } from './usage_error.js';

/** What a run trains with. */
export interface Training {
    readonly model: nn.Sequential;
    readonly trainer: Trainer;
    readonly optimizer: optim.Optimizer;
    readonly schedule: optim.Schedule | undefined;
    /** Leave out the last batch where it would be a single sample, which batch norm cannot normalise. */
    readonly dropLast: boolean;
}

const PRECISIONS = { none: 'float32', bf16: 'bfloat16', fp16: 'float16' } as const;

/**
 * Builds model, optimizer, schedule and trainer.
 *
 * @throws {UsageError} where batch norm would have to normalise single samples.
 */
export function setUpTraining(config: TrainConfig, samples: number, device: Device): Training {
    const { architecture, batchSize, useBatchNorm, gradientClip } = config;
    const largest = Math.min(batchSize, samples);
    if (useBatchNorm && architecture === 'mlp' && largest === 1) {
        throw new UsageError('--use_batch_norm needs batches of at least 2 images; raise --batch_size');
    }
    // Dropout draws from the default generator.
    manualSeed(config.seed);
    const model = buildClassifier(config);
    initializeClassifier(model, config.initializer, config.seed);
    // Drawn on the CPU, so that the same seed begins with the same bits anywhere.
    model.to(device);
    const optimizer = makeOptimizer(config, model);
    const dropLast = useBatchNorm && samples > largest && samples % batchSize === 1;
    const steps = dropLast ? Math.floor(samples / batchSize) : Math.ceil(samples / batchSize);
    const scheduling = makeSchedule(config, optimizer, steps);
    const trainer = new Trainer({
        model,
        optimizer,
        loss: classifierLoss(config.loss),
        precision: PRECISIONS[config.mixedPrecision ?? 'none'],
        ...scheduling,
        ...(gradientClip === undefined ? {} : { gradientClip }),
        ...makeAverage(config, model),
    });
    return { model, trainer, optimizer, schedule: scheduling.schedule, dropLast };
}

function makeOptimizer(config: TrainConfig, model: nn.Module): optim.Optimizer {
    const { learningRate: lr, weightDecay, momentum } = config;
    const parameters = model.parameters();
    switch (config.optimizer) {
        case 'sgd':
            return new optim.SGD(parameters, { lr, weightDecay, momentum });
        case 'rmsprop':
            return new optim.RMSprop(parameters, { lr, weightDecay, momentum });
        case 'adam':
            return new optim.Adam(parameters, { lr, weightDecay });
        case 'adamw':
            return new optim.AdamW(parameters, { lr, weightDecay });
    }
}

/** Batch norm's statistics are averaged with the weights that they belong to. */
function makeAverage({ emaDecay: decay }: TrainConfig, model: nn.Module): Pick<TrainerOptions, 'average'> {
    if (decay === undefined) return {};
    return { average: new optim.ExponentialMovingAverage(model, { decay, useBuffers: true }) };
}

type ScheduleOptions = Pick<TrainerOptions, 'scheduleInterval'> & { readonly schedule?: optim.Schedule };

/** `steps`: of one epoch. */
function makeSchedule(config: TrainConfig, optimizer: optim.Optimizer, steps: number): ScheduleOptions {
    const total = Math.min(config.epochs * steps, config.maxSteps ?? Infinity);
    switch (config.lrSchedule) {
        case 'none':
        case 'constant':
            return {};
        case 'step':
            return { schedule: new optim.StepLR(optimizer, { stepSize: Math.ceil(config.epochs / 3) }) };
        case 'exponential':
            return { schedule: new optim.ExponentialLR(optimizer, { gamma: 0.9 }) };
        case 'plateau':
            return { schedule: new optim.ReduceLROnPlateau(optimizer, { patience: 2 }) };
        case 'cosine':
            return byStep(new optim.CosineAnnealingLR(optimizer, { tMax: total }));
        case 'warmup':
            return byStep(
                new optim.LinearLR(optimizer, { startFactor: 0.01, totalIters: Math.ceil(total / 10) }),
            );
        case 'one_cycle': {
            const cycleMomentum = config.optimizer.startsWith('adam') || config.momentum > 0;
            const options = { maxLr: config.learningRate, totalSteps: total, cycleMomentum };
            return byStep(new optim.OneCycleLR(optimizer, options));
        }
    }
}

function byStep(schedule: optim.Schedule): ScheduleOptions {
    return { schedule, scheduleInterval: 'step' };
}
