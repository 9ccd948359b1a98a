import { defineOp } from '../autograd/define_op.js';
import type { Scalar } from '../native/tracer.js';
import type { Tensor } from '../tensor/tensor.js';
import { requireFloat, requireTensor } from './convert.js';
import { drawFrom } from './draws.js';
import { defaultGenerator, Generator } from './generator.js';
import { runNew } from './kernels.js';
import { installMethods } from './methods.js';

export interface DropoutOptions {
    /** False gives x itself; default true. */
    readonly training?: boolean;
    /** Where the random numbers come from; default: the generator that `manualSeed` seeds. */
    readonly generator?: Generator;
}

interface DropoutSettings {
    readonly probability: Scalar;
    readonly seed: Scalar;
    /** First counter; element i takes word i mod 4 of counter offset + floor(i / 4). */
    readonly offset: Scalar;
}

// x [...] -> y [...]; linear in x, so that its gradient is the same op with the same numbers
const dropoutOp = defineOp<readonly [Tensor], DropoutSettings>({
    name: 'dropout',
    forward: (_, [x], { probability, seed, offset }) =>
        runNew('dropout', [x], x.shape, x.dtype, [probability, seed, offset]),
    backward: (dy, { options }) => [dropAgain(dy, options)],
    differentiable: true,
});

function dropAgain(x: Tensor, settings: DropoutSettings): Tensor {
    return dropoutOp([x], settings);
}

/**
 * Sets each element to 0 with the given probability and divides the others by (1 - probability), so that the mean stays.
 * Which elements, depends on the generator and the element's place alone: not on threads, memory layout or dtype.
 *
 * x [...] -> [...]. Float dtypes.
 *
 * Source: Srivastava et al., "Dropout", JMLR 15, 2014.
 *
 * @throws RangeError when the probability lies outside [0, 1]; TypeError for a generator that is none.
 * @example
 * import { dropout, Generator, ones } from 'nativegrad';
 * const y = dropout(ones([1000]), 0.5, { generator: new Generator(1) });
 * console.log(y.dataSync().every((value) => value === 0 || value === 2)); // true
 */
export function dropout(x: Tensor, probability = 0.5, options: DropoutOptions = {}): Tensor {
    requireTensor('dropout', x);
    requireFloat('dropout', x);
    if (!(probability >= 0 && probability <= 1)) {
        throw new RangeError(`[dropout] the probability must lie in [0, 1], got ${probability}`);
    }
    if (options.training === false || probability === 0) return x;
    const generator = options.generator ?? defaultGenerator;
    if (!(generator instanceof Generator))
        throw new TypeError('[dropout] generator must be a Generator; make one with new Generator(seed)');
    return dropoutBy(x, probability, generator);
}

/** @internal As `dropout`, with a probability that may change from step to step. */
export function dropoutBy(x: Tensor, probability: Scalar, generator: Generator): Tensor {
    return dropoutOp([x], { probability, ...drawFrom(generator, Math.ceil(x.size / 4)) });
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        dropout(probability?: number, options?: DropoutOptions): Tensor;
    }
}

installMethods({ dropout });
