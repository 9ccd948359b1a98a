import { noGrad } from '../autograd/grad_mode.js';
import type { Generator } from '../ops/generator.js';
import { normal_, uniform_ } from '../ops/random.js';
import type { Tensor } from '../tensor/tensor.js';

export interface InitOptions {
    /** Where the random numbers come from; default: the generator that `manualSeed` seeds. */
    readonly generator?: Generator;
}

/** @internal Overwrites x with numbers uniform in [first, second), or normal with mean first and deviation second. */
export function draw(
    kind: 'uniform' | 'normal',
    x: Tensor,
    first: number,
    second: number,
    { generator }: InitOptions,
): Tensor {
    return noGrad(() => (kind === 'uniform' ? uniform_ : normal_)(x, first, second, generator));
}
