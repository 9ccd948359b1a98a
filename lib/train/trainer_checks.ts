import type { Batch } from '../data/index.js';
import { describeValue, isPromise } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import { requireTensor } from '../tensor/require_tensor.js';
import { Tensor } from '../tensor/tensor.js';

const optionNames = [
    'model',
    'optimizer',
    'loss',
    'schedule',
    'scheduleInterval',
    'beforeStep',
    'capture',
    'precision',
    'gradients',
] as const;

type TrainerParts = Readonly<Partial<Record<(typeof optionNames)[number], unknown>>>;

function hasMethods(value: unknown, ...names: readonly string[]): boolean {
    if (typeof value !== 'object' || value === null) return false;
    return names.every((name) => typeof Reflect.get(value, name) === 'function');
}

function requirePart(name: string, value: unknown, fits: boolean, expected: string): void {
    if (!fits) throw new TypeError(`[Trainer] ${name} must be ${expected}, got ${describeValue(value)}`);
}

/** @internal Throws where a trainer was given something else than it needs; it may come from JavaScript. */
export function checkTrainerOptions(options: TrainerParts): void {
    requireOptionNames('[Trainer]', options, optionNames);
    const {
        model,
        optimizer,
        loss,
        schedule,
        scheduleInterval = 'epoch',
        beforeStep,
        capture = 'auto',
        precision = 'float32',
        gradients = false,
    } = options;
    requirePart('model', model, hasMethods(model, 'forward', 'train', 'eval'), 'a Module');
    const steps = hasMethods(optimizer, 'zeroGrad', 'step');
    requirePart('optimizer', optimizer, steps, 'an optimizer such as new optim.Adam(model.parameters())');
    const isLoss = typeof loss === 'function';
    requirePart('loss', loss, isLoss, 'a function (outputs, targets) => Tensor such as nn.crossEntropy');
    requirePart('schedule', schedule, schedule === undefined || hasMethods(schedule, 'step'), 'a schedule');
    const isInterval = scheduleInterval === 'step' || scheduleInterval === 'epoch';
    requirePart('scheduleInterval', scheduleInterval, isInterval, "'step' or 'epoch'");
    requirePart(
        'beforeStep',
        beforeStep,
        beforeStep === undefined || typeof beforeStep === 'function',
        'a function',
    );
    const isMode = typeof capture === 'boolean' || capture === 'auto';
    requirePart('capture', capture, isMode, "true, false or 'auto'");
    const isPrecision = precision === 'float32' || precision === 'bfloat16';
    requirePart('precision', precision, isPrecision, "'float32' or 'bfloat16'");
    requirePart('gradients', gradients, typeof gradients === 'boolean', 'true or false');
}

/** @internal Throws where `batches` cannot be iterated; a data set in its place is told what wraps it. */
export function requireBatches(op: string, batches: unknown, what = 'the batches'): void {
    if (typeof batches === 'object' && batches !== null && !(batches instanceof Tensor)) {
        if (Symbol.iterator in batches || Symbol.asyncIterator in batches) return;
    }
    const isDataset = hasMethods(batches, 'get') || hasMethods(batches, 'batch');
    const hint = isPromise(batches)
        ? 'is an `await` missing?'
        : isDataset
          ? 'wrap the data set: new data.DataLoader(dataset, { batchSize: 32 })'
          : 'pass a data.DataLoader, or a list of [inputs, targets]';
    throw new TypeError(`[${op}] ${what} must be a DataLoader, got ${describeValue(batches)}; ${hint}`);
}

/** @internal Throws where a batch is no pair of tensors. */
export function requireBatch(batch: unknown): asserts batch is Batch {
    if (!Array.isArray(batch))
        throw new TypeError(`[fit] a batch must be [inputs, targets], got ${describeValue(batch)}`);
    const list: readonly unknown[] = batch;
    const [inputs, targets] = list;
    requireTensor('fit', inputs, 'the inputs of a batch');
    requireTensor('fit', targets, 'the targets of a batch');
}

/** @internal What a loss function gave. */
export function requireLoss(op: string, loss: unknown): Tensor {
    if (isPromise(loss)) {
        throw new TypeError(
            `[${op}] the loss function gave a Promise; it must return its Tensor at once: make it a function without async`,
        );
    }
    requireTensor(op, loss, 'what the loss function returns');
    return loss;
}
