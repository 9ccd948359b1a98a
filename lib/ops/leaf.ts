import { setRequiresGrad } from '../autograd/gradients.js';
import { requireOptionNames } from '../support/option_names.js';
import { deviceCode, type Device } from '../tensor/device.js';
import { requireDtype, type DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';

export interface TensorOptions {
    /** Default: float32, or the dtype that the data implies. */
    dtype?: DType;
    /** Where the elements lie; default: that of `setDefaultDevice`, the CPU at first. */
    device?: Device;
    /** Record what is computed from this tensor, for `backward()`. Float dtypes only. */
    requiresGrad?: boolean;
}

const optionNames = ['dtype', 'device', 'requiresGrad'];
const randomOptionNames = [...optionNames, 'generator'];

/** Refuses other options (a misspelt one must not silently be the default), dtypes and devices. The first step of every function that makes a leaf. */
export function requireTensorOptions(op: string, options: TensorOptions, isRandom = false): void {
    requireOptionNames(`[${op}]`, options, isRandom ? randomOptionNames : optionNames);
    if (options.dtype !== undefined) requireDtype(op, options.dtype);
    if (options.device !== undefined) deviceCode(op, options.device);
}

/** The last step of every function that makes a leaf. */
export function finishLeaf(x: Tensor, options: TensorOptions): Tensor {
    if (options.requiresGrad) setRequiresGrad(x, true);
    return x;
}
