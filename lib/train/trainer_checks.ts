import type { Batch } from '../data/index.js';
import { describeValue, isPromise } from '../support/describe_value.js';
import { requireOptionNames, similarName } from '../support/option_names.js';
import { GradScaler } from '../optim/grad_scaler.js';
import { ExponentialMovingAverage } from '../optim/moving_average.js';
import { Optimizer } from '../optim/optimizer.js';
import { requireTensor } from '../tensor/require_tensor.js';
import { Tensor } from '../tensor/tensor.js';
import type { Callback } from './callback.js';

const optionNames = [
    'model',
    'optimizer',
    'loss',
    'schedule',
    'average',
    'scheduleInterval',
    'beforeStep',
    'capture',
    'precision',
    'scaler',
    'gradientClip',
    'gradients',
] as const;

const precisions = ['float32', 'bfloat16', 'float16'] as const;

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
        average,
        scheduleInterval = 'epoch',
        beforeStep,
        capture = 'auto',
        precision = 'float32',
        scaler,
        gradientClip,
        gradients = false,
    } = options;
    requirePart('model', model, hasMethods(model, 'forward', 'train', 'eval'), 'a Module');
    const steps = hasMethods(optimizer, 'zeroGrad', 'step');
    requirePart('optimizer', optimizer, steps, 'an optimizer such as new optim.Adam(model.parameters())');
    const isLoss = typeof loss === 'function';
    requirePart('loss', loss, isLoss, 'a function (outputs, targets) => Tensor such as nn.crossEntropy');
    requirePart('schedule', schedule, schedule === undefined || hasMethods(schedule, 'step'), 'a schedule');
    const isAverage = average === undefined || average instanceof ExponentialMovingAverage;
    requirePart('average', average, isAverage, 'an optim.ExponentialMovingAverage of the model');
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
    const isPrecision = precisions.some((name) => name === precision);
    requirePart('precision', precision, isPrecision, "'float32', 'bfloat16' or 'float16'");
    const isScaler = scaler === undefined || scaler instanceof GradScaler;
    requirePart('scaler', scaler, isScaler, 'an optim.GradScaler');
    if (scaler !== undefined && precision !== 'float16')
        throw new TypeError(`[Trainer] scaler needs precision 'float16', got '${String(precision)}'`);
    if (precision === 'float16')
        requirePart(
            'optimizer',
            optimizer,
            optimizer instanceof Optimizer,
            "an optimizer of optim with precision 'float16', such as new optim.Adam(model.parameters())",
        );
    const isLimit = gradientClip === undefined || (typeof gradientClip === 'number' && gradientClip >= 0);
    requirePart('gradientClip', gradientClip, isLimit, 'a number of at least 0');
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

const hookNames = Object.keys({
    onTrainBegin: true,
    onEpochBegin: true,
    onStepEnd: true,
    onStepsEnd: true,
    onEpochEnd: true,
    onTrainEnd: true,
} satisfies Record<Extract<keyof Callback, `on${string}`>, true>);

/** Names that look like hooks, those of the classes of an object as well. */
function hooksOf(callback: object): Set<string> {
    const names = new Set<string>();
    for (let part: unknown = callback; part && part !== Object.prototype; part = Object.getPrototypeOf(part))
        for (const name of Object.getOwnPropertyNames(part)) if (/^on[A-Z]/.test(name)) names.add(name);
    return names;
}

function requireCallback(callback: unknown, where: string): void {
    if (typeof callback !== 'object' || callback === null) {
        const hint =
            typeof callback === 'function'
                ? 'is `new` missing, or should it be { onEpochEnd(record) { … } }?'
                : 'write { onEpochEnd(record) { … } }';
        throw new TypeError(
            `[fit] ${where} must be an object with hooks, got ${describeValue(callback)}; ${hint}`,
        );
    }
    const names = hooksOf(callback);
    for (const name of names) {
        const hook: unknown = Reflect.get(callback, name);
        if (!hookNames.includes(name)) {
            const meant = similarName(name, hookNames);
            throw new TypeError(
                `[fit] ${where} has '${name}', which is no hook${meant ? `; did you mean '${meant}'?` : ''}` +
                    `${meant ? ' Hooks are' : '; hooks are'} ${hookNames.join(', ')}`,
            );
        }
        if (hook !== undefined && typeof hook !== 'function')
            throw new TypeError(`[fit] ${name} of ${where} must be a function, got ${describeValue(hook)}`);
    }
    if (names.size === 0)
        throw new TypeError(
            `[fit] ${where}, ${describeValue(callback)}, has no hook; hooks are ${hookNames.join(', ')}`,
        );
}

/** @internal Throws where `callbacks` is no list of objects with hooks: one with a misspelt name would never be called. */
export function requireCallbacks(callbacks: unknown): void {
    if (callbacks === undefined) return;
    if (!Array.isArray(callbacks))
        throw new TypeError(
            `[fit] callbacks must be a list, got ${describeValue(callbacks)}; write callbacks: [callback]`,
        );
    callbacks.forEach((callback: unknown, i) => requireCallback(callback, `callback ${i}`));
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
