export * from './ops/index.js';
export {
    Tensor,
    type Device,
    type NestedArray,
    type NestedNumbers,
    type TensorData,
} from './tensor/tensor.js';
export { dtypes, type DType } from './tensor/dtype.js';
export type { Shape } from './tensor/shape.js';
export { keep } from './tensor/lifetime.js';
export { Scope, scope } from './autograd/scope.js';
export { enableGrad, isGradEnabled, noGrad } from './autograd/grad_mode.js';
export { AnomalyError, detectAnomaly } from './autograd/anomaly.js';
export { grad } from './autograd/gradients.js';
export { defineOp, type ForwardContext, type OpDefinition } from './autograd/define_op.js';
export type { BackwardContext, Gradients } from './autograd/node.js';
export type { BackwardOptions } from './autograd/backward.js';
export * from './system.js';

/** Version of this package. */
export const version = '0.1.0';
