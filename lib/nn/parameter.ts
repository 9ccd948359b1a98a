import { setRequiresGrad } from '../autograd/gradients.js';
import { makeView } from '../native/call.js';
import { keep } from '../tensor/lifetime.js';
import { requireTensor } from '../tensor/require_tensor.js';
import { Tensor } from '../tensor/tensor.js';

/**
 * A tensor that a module learns. Assigned to a property of a module, it appears in `module.parameters()`.
 *
 * It shares the storage of `data`, is cut off from the tape that made it, belongs to no scope (so none frees it) and
 * requires a gradient unless told otherwise.
 *
 * @throws TypeError when `data` is no float tensor and a gradient is required.
 * @example
 * import { nn, ones, type Tensor } from 'nativegrad';
 * class Scale extends nn.Module {
 *     readonly factor = new nn.Parameter(ones([3]));
 *     forward(x: Tensor): Tensor {
 *         return x.mul(this.factor);
 *     }
 * }
 * console.log(new Scale().parameters().length); // 1
 */
export class Parameter extends Tensor {
    constructor(data: Tensor, options: { readonly requiresGrad?: boolean } = {}) {
        requireTensor('Parameter', data, 'data');
        super(data.shape, data.dtype, { strides: data.strides, version: data.version });
        makeView(this, data, 0, data.strides);
        keep(this);
        setRequiresGrad(this, options.requiresGrad ?? true);
    }
}
