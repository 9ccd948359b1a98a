import { setRequiresGrad } from '../autograd/gradients.js';
import type { DType } from '../tensor/dtype.js';
import type { Device } from '../tensor/device.js';
import type { Tensor } from '../tensor/tensor.js';

export interface TensorOptions {
    /** Default: float32, or the dtype that the data implies. */
    dtype?: DType;
    /** Where the elements lie; default: that of `setDefaultDevice`, the CPU at first. */
    device?: Device;
    /** Record what is computed from this tensor, for `backward()`. Float dtypes only. */
    requiresGrad?: boolean;
}

/** The last step of every function that makes a leaf. */
export function finishLeaf(x: Tensor, options: TensorOptions): Tensor {
    if (options.requiresGrad) setRequiresGrad(x, true);
    return x;
}
