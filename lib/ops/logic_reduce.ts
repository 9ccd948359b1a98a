import type { Tensor } from '../tensor/tensor.js';
import { reduceKernel, type ReduceName } from './kernels.js';
import { installMethods } from './methods.js';
import { reduceOptions, type Axes } from './reduce.js';

function logicReduce(name: ReduceName, x: Tensor, axes: Axes, keepDims: boolean): Tensor {
    const options = reduceOptions(name, x, axes, keepDims);
    // PyTorch's exception: uint8 stays uint8.
    return reduceKernel(name, x, options.axes, options.keepDims, x.dtype === 'uint8' ? 'uint8' : 'bool');
}

/** Whether any element over axes (all by default) is not 0; NaN counts as true, of nothing it is false. */
export function any(x: Tensor, axes?: Axes, keepDims = false): Tensor {
    return logicReduce('any', x, axes, keepDims);
}

/** Whether all elements over axes (all by default) are not 0; NaN counts as true, of nothing it is true. */
export function all(x: Tensor, axes?: Axes, keepDims = false): Tensor {
    return logicReduce('all', x, axes, keepDims);
}

/** How many elements over axes (all by default) are not 0; NaN counts. int64. */
export function countNonzero(x: Tensor, axes?: Axes, keepDims = false): Tensor {
    const options = reduceOptions('count_nonzero', x, axes, keepDims);
    return reduceKernel('count_nonzero', x, options.axes, options.keepDims, 'int64');
}

declare module '../tensor/tensor.js' {
    interface Tensor {
        any(axes?: Axes, keepDims?: boolean): Tensor;
        all(axes?: Axes, keepDims?: boolean): Tensor;
        countNonzero(axes?: Axes, keepDims?: boolean): Tensor;
    }
}

installMethods({ any, all, countNonzero });
