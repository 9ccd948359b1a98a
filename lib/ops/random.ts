import { run } from '../native/call.js';
import { defaultDevice } from '../tensor/device.js';
import { isFloat, type DType } from '../tensor/dtype.js';
import { checkShape, type Shape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { lt } from './compare.js';
import { requireFloat, requireTensor } from './convert.js';
import { fromTypedArray, type TensorOptions } from './create.js';
import { drawFrom } from './draws.js';
import { defaultGenerator, Generator } from './generator.js';
import { beginWrite, copy_ } from './in_place.js';
import { finishLeaf, requireTensorOptions } from './leaf.js';
import { installMethods } from './methods.js';

export interface RandomOptions extends TensorOptions {
    /** Where the numbers come from; default: the generator that `manualSeed` seeds. */
    generator?: Generator;
}

/** As in functions.h. */
const distributions = { uniform: 0, normal: 1, integer: 2, bernoulli: 3 } as const;
type DistributionName = keyof typeof distributions;

function valuesPerCounter(name: DistributionName, dtype: DType): number {
    return name === 'bernoulli' || (name === 'uniform' && dtype !== 'float64') ? 4 : 2;
}

/** Fills `target`, row-major, with the next numbers of the generator. */
function draw(
    op: string,
    target: Tensor,
    name: DistributionName,
    low: number,
    high: number,
    generator: Generator = defaultGenerator,
): Tensor {
    if (!(generator instanceof Generator))
        throw new TypeError(`[${op}] generator must be a Generator; make one with new Generator(seed)`);
    const counters = Math.ceil(target.size / valuesPerCounter(name, target.dtype));
    const { seed, offset } = drawFrom(generator, counters);
    run('random', [], [target], [distributions[name], low, high, seed, offset], op);
    return target;
}

function newFloat(op: string, shape: Shape, options: RandomOptions): Tensor {
    requireTensorOptions(op, options, true);
    const { dtype = 'float32', device } = options;
    checkShape(op, shape);
    if (!isFloat(dtype)) throw new TypeError(`[${op}] needs a float dtype, got ${dtype}; use randint`);
    return new Tensor(shape, dtype, { device: device ?? defaultDevice() });
}

function requireFinite(op: string, name: string, value: number): void {
    if (!Number.isFinite(value))
        throw new RangeError(`[${op}] ${name} must be a finite number, got ${String(value)}`);
}

/**
 * Numbers uniform in [0, 1), with as many random bits as the dtype has.
 *
 * @throws TypeError when the dtype is not a float.
 * @example
 * import { Generator, rand } from 'nativegrad';
 * console.log(rand([2, 3], { generator: new Generator(1) }).shape); // [2, 3]
 */
export function rand(shape: Shape, options: RandomOptions = {}): Tensor {
    const x = newFloat('rand', shape, options);
    return finishLeaf(draw('rand', x, 'uniform', 0, 1, options.generator), options);
}

/** Numbers of the standard normal distribution (Box and Muller, 1958). Float dtypes only. */
export function randn(shape: Shape, options: RandomOptions = {}): Tensor {
    const x = newFloat('randn', shape, options);
    return finishLeaf(draw('randn', x, 'normal', 0, 1, options.generator), options);
}

const integerRanges: Partial<Record<DType, readonly [number, number]>> = {
    int32: [-(2 ** 31), 2 ** 31],
    uint8: [0, 256],
    bool: [0, 2],
};

/**
 * Integers uniform in [low, high), int64 unless `dtype` says otherwise.
 *
 * @throws RangeError when the bounds are not integers, do not fit the dtype, or hold nothing between them.
 * @example
 * import { randint } from 'nativegrad';
 * const dice = randint(1, 7, [100], { dtype: 'int32' });
 */
export function randint(low: number, high: number, shape: Shape, options: RandomOptions = {}): Tensor {
    requireTensorOptions('randint', options, true);
    checkShape('randint', shape);
    const dtype = options.dtype ?? 'int64';
    const [least, most] = integerRanges[dtype] ?? [-(2 ** 53), 2 ** 53];
    if (![low, high].every(Number.isInteger) || low >= high || low < least || high > most) {
        throw new RangeError(
            `[randint] needs integers low < high within [${least}, ${most}] of ${dtype}, got ${String(low)} and ${String(high)}`,
        );
    }
    const x = new Tensor(shape, dtype, { device: options.device ?? defaultDevice() });
    return finishLeaf(draw('randint', x, 'integer', low, high, options.generator), options);
}

/** The numbers 0 … n - 1 in random order (Fisher and Yates), int64 unless `dtype` says otherwise. */
export function randperm(n: number, options: RandomOptions = {}): Tensor {
    requireTensorOptions('randperm', options, true);
    checkShape('randperm', [n]);
    const { generator, ...rest } = options;
    const numbers = rand([n], { dtype: 'float64', device: 'cpu', ...(generator ? { generator } : {}) });
    const draws = numbers.dataSync();
    numbers.dispose();
    const order = Float64Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
        const j = Math.floor(Number(draws[i]) * (i + 1));
        [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
    }
    return fromTypedArray(order, [n], { dtype: 'int64', ...rest });
}

/**
 * 1 with the given probability, else 0. The probability is a number, or a tensor that broadcasts to the shape.
 *
 * @throws RangeError when the probability is a number outside [0, 1].
 */
export function bernoulli(shape: Shape, probability: number | Tensor, options: RandomOptions = {}): Tensor {
    requireTensorOptions('bernoulli', options, true);
    checkShape('bernoulli', shape);
    const dtype = options.dtype ?? 'float32';
    if (typeof probability === 'number') {
        requireProbability('bernoulli', probability);
        const x = new Tensor(shape, dtype, { device: options.device ?? defaultDevice() });
        return finishLeaf(draw('bernoulli', x, 'bernoulli', probability, 0, options.generator), options);
    }
    requireTensor('bernoulli', probability, 'the probability');
    requireFloat('bernoulli', probability);
    const uniform = new Tensor(shape, probability.dtype === 'float64' ? 'float64' : 'float32', {
        device: probability.device,
    });
    draw('bernoulli', uniform, 'uniform', 0, 1, options.generator);
    const truth = lt(uniform, probability.detach().expand(shape));
    uniform.dispose();
    return finishLeaf(truth.to(dtype), options);
}

function requireProbability(op: string, probability: number): void {
    if (!(probability >= 0 && probability <= 1))
        throw new RangeError(`[${op}] the probability must lie in [0, 1], got ${String(probability)}`);
}

/** Draws into x itself where it is row-major, else into a row-major tensor that is copied. */
function overwrite(op: string, x: Tensor, fill: (target: Tensor) => void): Tensor {
    if (x.isContiguous) {
        beginWrite(op, x);
        fill(x);
        return x;
    }
    const values = new Tensor(x.shape, x.dtype, { device: x.device });
    fill(values);
    copy_(x, values);
    values.dispose();
    return x;
}

/** Overwrites x with numbers uniform in [low, high). Float dtypes only. */
export function uniform_(x: Tensor, low = 0, high = 1, generator?: Generator): Tensor {
    requireTensor('uniform_', x);
    requireFloat('uniform_', x);
    requireFinite('uniform_', 'low', low);
    requireFinite('uniform_', 'high', high);
    if (low > high) throw new RangeError(`[uniform_] low ${low} lies above high ${high}`);
    return overwrite('uniform_', x, (target) => draw('uniform_', target, 'uniform', low, high, generator));
}

/** Overwrites x with numbers of the normal distribution. Float dtypes only. */
export function normal_(x: Tensor, mean = 0, std = 1, generator?: Generator): Tensor {
    requireTensor('normal_', x);
    requireFloat('normal_', x);
    requireFinite('normal_', 'mean', mean);
    requireFinite('normal_', 'std', std);
    if (std < 0) throw new RangeError(`[normal_] std must not be negative, got ${std}`);
    return overwrite('normal_', x, (target) => draw('normal_', target, 'normal', mean, std, generator));
}

/** Overwrites x with 1, with the given probability, and 0. */
export function bernoulli_(x: Tensor, probability: number, generator?: Generator): Tensor {
    requireTensor('bernoulli_', x);
    requireProbability('bernoulli_', probability);
    return overwrite('bernoulli_', x, (target) =>
        draw('bernoulli_', target, 'bernoulli', probability, 0, generator),
    );
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        uniform_(low?: number, high?: number, generator?: Generator): Tensor;
        normal_(mean?: number, std?: number, generator?: Generator): Tensor;
        bernoulli_(probability: number, generator?: Generator): Tensor;
    }
}

installMethods({ uniform_, normal_, bernoulli_ });
