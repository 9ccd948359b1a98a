import type { DType } from '../tensor/dtype.js';
import type { Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';

/** The few ops that the tape itself needs. `lib/ops` lies above it and hands them down when it is loaded. */
export interface TapeServices {
    add(a: Tensor, b: Tensor): Tensor;
    sumTo(x: Tensor, shape: Shape): Tensor;
    cast(x: Tensor, dtype: DType): Tensor;
    /** A row-major copy that shares nothing with `x`. */
    copy(x: Tensor): Tensor;
    onesLike(x: Tensor): Tensor;
    hasNaN(x: Tensor): boolean;
}

let installed: TapeServices | null = null;

export function installTapeServices(services: TapeServices): void {
    installed = services;
}

export function tapeServices(): TapeServices {
    if (installed === null) throw new Error('[autograd] lib/ops is not loaded');
    return installed;
}
