import { noGrad } from '../autograd/grad_mode.js';
import { run, untraced } from '../native/call.js';
import { guard, perStep } from '../native/tracer.js';
import { Module } from '../nn/module.js';
import { copy_ } from '../ops/in_place.js';
import { clone, to } from '../ops/convert.js';
import { zerosLike } from '../ops/create.js';
import { describeValue } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import { keep } from '../tensor/lifetime.js';
import { sameShape, shapeText } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';

export interface MovingAverageOptions {
    /** Share of the average that stays in each update, in [0, 1). Default: 0.999, as PyTorch's. */
    readonly decay?: number;
    /** Average the float buffers, too (the running statistics of batch norm); else the model's own stay. Default: false. */
    readonly useBuffers?: boolean;
}

/** What a checkpoint keeps of an average. */
export interface MovingAverageState {
    readonly decay: number;
    readonly updates: number;
    /** By the names of the model; empty before the first update. */
    readonly averages: ReadonlyMap<string, Tensor>;
}

interface Entry {
    readonly source: Tensor;
    readonly average: Tensor;
}

const pairsPerCall = 64;

/**
 * An exponential moving average of a model's weights, which often generalises better than the weights themselves:
 *
 *     a_1 = w_1,   a_t = a_{t-1} + (1 - decay) (w_t - a_{t-1})
 *
 * Call `update()` after each step of the optimizer (the Trainer does, given as its option `average`), and `average(body)` to
 * compute with the averages, or `copyTo()` to keep them. PyTorch's `swa_utils.AveragedModel` with `get_ema_multi_avg_fn`.
 *
 * Source: Polyak and Juditsky 1992; Tarvainen and Valpola, "Mean teachers are better role models", 2017.
 *
 * @throws RangeError for a decay outside [0, 1); TypeError for weights that are neither float32 nor float64.
 * @example
 * import { nn, noGrad, ones, optim } from 'nativegrad';
 * const model = new nn.Linear(1, 1, { bias: false });
 * const average = new optim.ExponentialMovingAverage(model, { decay: 0.75 });
 * for (const value of [1, 3]) {
 *     noGrad(() => model.weight.fill_(value));
 *     average.update();
 * }
 * console.log(average.average(() => model.forward(ones([1, 1])).item())); // 1.5
 * console.log(model.forward(ones([1, 1])).item()); // 3
 */
export class ExponentialMovingAverage {
    readonly decay: number;
    private readonly entries = new Map<string, Entry>();
    private count = 0;
    private isSwapped = false;

    constructor(model: Module, options: MovingAverageOptions = {}) {
        const name = '[ExponentialMovingAverage]';
        if (!(model instanceof Module))
            throw new TypeError(`${name} takes a Module, got ${describeValue(model)}; pass the model itself`);
        requireOptionNames(name, options, ['decay', 'useBuffers']);
        const { decay = 0.999, useBuffers = false } = options;
        if (!(decay >= 0 && decay < 1))
            throw new RangeError(
                `${name} decay must lie in [0, 1), such as 0.999, got ${describeValue(decay)}`,
            );
        this.decay = decay;
        const isFloat = (x: Tensor): boolean => x.dtype === 'float32' || x.dtype === 'float64';
        const named: [string, Tensor][] = model.namedParameters();
        for (const [path, { dtype, shape }] of named.filter(([, x]) => !isFloat(x)))
            throw new TypeError(
                `${name} weights must be float32 or float64, got ${path} of ${dtype} ${shapeText(shape)}; ` +
                    'keep the model in float32 and compute in 16 bits by autocast, or precision of the Trainer',
            );
        if (useBuffers) named.push(...model.namedBuffers().filter(([, x]) => isFloat(x)));
        for (const [path, source] of named)
            this.entries.set(path, { source, average: keep(noGrad(() => zerosLike(source))) });
    }

    /** Updates so far (PyTorch's `n_averaged`). */
    get updates(): number {
        return this.count;
    }

    /** Takes the weights as they are now into the averages, in a captured step in each replay. */
    update(): void {
        if (this.isSwapped)
            throw new Error(
                '[ExponentialMovingAverage] update() inside average(): the weights are the averages there',
            );
        const entries = [...this.entries.values()];
        for (const { source, average } of entries) follow(average, source);
        guard(
            () => entries.every(({ source, average }) => source.device === average.device),
            () => 'the averaged model lies on another device now',
        );
        // The update of SGD for the gradient w and the weight decay -1: a -= -(1 - decay) (w - a). The first one finds zeros.
        const rate = perStep(() => (this.count++ === 0 ? -1 : this.decay - 1), this);
        for (let first = 0; first < entries.length; first += pairsPerCall) {
            const share = entries.slice(first, first + pairsPerCall);
            const operands = share.flatMap(({ source, average }) => [average, source]);
            run('sgd_step', [], operands, [rate, 0, 0, -1, 0, 0, 0, 0], 'ExponentialMovingAverage');
            for (const { average } of share) average.version.value++;
        }
    }

    /** Writes the averages into the model, for good; before the first update the weights stay as they are. */
    copyTo(): void {
        if (this.count === 0) return;
        noGrad(() => {
            for (const { source, average } of this.entries.values()) copy_(source, average);
        });
    }

    /**
     * Runs `body`, which may be asynchronous, with the averages in the model; afterwards, also where it fails, the weights are
     * back.
     *
     * @throws Error inside another `average`.
     */
    average<T>(body: () => T): T {
        if (this.isSwapped)
            throw new Error(
                '[ExponentialMovingAverage] average() runs already; await it before the next one',
            );
        const weights = [...this.entries.values()].map(({ source }) => ({
            source,
            copy: keep(noGrad(() => clone(source))),
        }));
        this.isSwapped = true;
        const restore = (): void => {
            noGrad(() => {
                for (const { source, copy } of weights) copy_(source, copy);
            });
            for (const { copy } of weights) copy.dispose();
            this.isSwapped = false;
        };
        let result: T;
        try {
            this.copyTo();
            result = body();
        } catch (error) {
            restore();
            throw error;
        }
        if (result instanceof Promise) return result.finally(restore) as T;
        restore();
        return result;
    }

    /** Decay, count and averages; the tensors are those of the average itself: `clone()` them for a snapshot. */
    stateDict(): MovingAverageState {
        const averages = [...this.entries].map(([name, { average }]): [string, Tensor] => [name, average]);
        return { decay: this.decay, updates: this.count, averages: new Map(this.count > 0 ? averages : []) };
    }

    /**
     * Takes count and averages over; the decay stays this one's.
     *
     * @throws Error, before anything is changed, where names or shapes are others.
     */
    loadStateDict({ updates, averages }: MovingAverageState): void {
        const problems =
            updates === 0
                ? []
                : [...this.entries].flatMap(([name, { average }]) => {
                      const given: unknown = averages.get(name);
                      if (!(given instanceof Tensor)) return [`${name} is missing`];
                      if (sameShape(given.shape, average.shape)) return [];
                      return [`${name} is ${shapeText(average.shape)}, got ${shapeText(given.shape)}`];
                  });
        const unexpected = [...averages.keys()].filter((name) => !this.entries.has(name));
        if (unexpected.length > 0) problems.push(`unexpected: ${unexpected.join(', ')}`);
        if (problems.length > 0)
            throw new Error(`[ExponentialMovingAverage] the state does not fit: ${problems.join('; ')}`);
        this.count = updates;
        noGrad(() => {
            for (const [name, { average }] of this.entries) {
                const given = averages.get(name);
                if (given) copy_(average, given);
            }
        });
    }

    /** @internal */
    saveState(): () => void {
        const { count } = this;
        return () => (this.count = count);
    }

    /** @internal The average of a parameter, which moves with it. */
    tensorsOf(parameter: unknown): readonly Tensor[] {
        return [...this.entries.values()]
            .filter(({ source }) => source === parameter)
            .map(({ average }) => average);
    }

    /** Frees the averages; the model stays as it is. */
    dispose(): void {
        for (const { average } of this.entries.values()) average.dispose();
        this.entries.clear();
    }

    [Symbol.dispose](): void {
        this.dispose();
    }
}

/** Brings an average to where its weights lie by now. */
function follow(average: Tensor, source: Tensor): void {
    if (average.device === source.device && average.dtype === source.dtype) return;
    untraced(() => {
        const moved = noGrad(() => to(average, source.device, source.dtype));
        average.adopt(moved);
    });
}
