export * from './ops/index.js';
export * as nn from './nn/index.js';
export * as optim from './optim/index.js';
export { Tensor, type NestedArray, type NestedNumbers, type TensorData } from './tensor/tensor.js';
export { defaultDevice, setDefaultDevice, type Device } from './tensor/device.js';
export { dtypes, type DType } from './tensor/dtype.js';
export {
    loadTensors,
    saveTensors,
    type LoadOptions,
    type NamedTensors,
    type TensorFile,
} from './tensor/tensor_file.js';
export {
    loadNpy,
    loadNpz,
    saveNpy,
    saveNpz,
    type NumpyLoadOptions,
    type SaveNpzOptions,
} from './tensor/numpy_file.js';
export { NpyError } from './io/npy_error.js';
export type { Shape } from './tensor/shape.js';
export { keep } from './tensor/lifetime.js';
export { Scope, scope } from './autograd/scope.js';
export { enableGrad, isGradEnabled, noGrad } from './autograd/grad_mode.js';
export { autocast, autocastDtype, type LowPrecision } from './autograd/autocast.js';
export { AnomalyError, detectAnomaly } from './autograd/anomaly.js';
export { grad } from './autograd/gradients.js';
export { profile, type Profile } from './autograd/profile/profile.js';
export type { Phase, ProfileEvent } from './autograd/profile/recorder.js';
export type { LayerProfile, OpProfile } from './autograd/profile/report.js';
export type { Trace, TraceEvent } from './autograd/profile/trace.js';
export {
    gradcheck,
    GradcheckError,
    gradgradcheck,
    type CheckedFunction,
    type GradcheckOptions,
} from './autograd/gradcheck.js';
export { defineOp, type ForwardContext, type OpDefinition } from './autograd/define_op.js';
export type { BackwardContext, Gradients } from './autograd/node.js';
export type { BackwardOptions } from './autograd/backward.js';
export {
    capture,
    type CapturedStep,
    type CaptureOptions,
    type CaptureStatistics,
    type ProgramReport,
    type RunOptions,
} from './program/capture.js';
export { captureModels, type CapturedModels } from './program/capture_models.js';
export { CaptureError } from './native/capture_error.js';
export { CaptureMismatchError } from './program/validate.js';
export type { ProgramCall, ProgramSize } from './native/program.js';
export * from './system.js';
export * as cuda from './cuda.js';
export {
    decodeSafetensors,
    encodeSafetensors,
    SafetensorsError,
    type SafetensorsContent,
    type SafetensorsEntry,
    type SafetensorsErrorCode,
} from './io/safetensors.js';
export * as data from './data/index.js';
export * as train from './train/index.js';
export * as plot from './plot/index.js';
export * as report from './report/index.js';
export * as track from './track/index.js';

/** Version of this package. */
export const version = '0.1.0';
