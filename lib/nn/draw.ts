import { noGrad } from '../autograd/grad_mode.js';
import { copy_ } from '../ops/in_place.js';
import { runNew } from '../ops/kernels.js';
import type { Tensor } from '../tensor/tensor.js';

export interface InitOptions {
    readonly seed?: number;
}

const distributions = { uniform: 0, normal: 1 } as const;
let drawn = 0;

/** @internal Overwrites x with numbers uniform in [first, second), or normal with mean first and deviation second. */
export function draw(
    kind: 'uniform' | 'normal',
    x: Tensor,
    first: number,
    second: number,
    _options: InitOptions,
): Tensor {
    const values = runNew('random', [], x.shape, x.dtype, [distributions[kind], first, second, 0, drawn]);
    drawn += x.size;
    noGrad(() => copy_(x, values));
    values.dispose();
    return x;
}
