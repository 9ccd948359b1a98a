export { Module, type Layer, type StateDict } from './module.js';
export type { BackwardHook, ForwardHook, ForwardPreHook } from './forward_call.js';
export { Parameter } from './parameter.js';
export { ModuleDict, ModuleList, Sequential } from './containers.js';
export { Linear, type LinearOptions } from './linear.js';
export {
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    type Conv1dOptions,
    type Conv2dOptions,
    type ConvTranspose2dOptions,
} from './conv.js';
export { MaxPool2d } from './pool.js';
export { BatchNorm1d, BatchNorm2d, type BatchNormLayerOptions } from './batch_norm.js';
export { Flatten } from './flatten.js';
export * from './activations.js';
export { crossEntropy } from './losses/cross_entropy.js';
export type { CrossEntropyOptions, Reduction } from '../ops/cross_entropy.js';
export { summary, type LayerSummary, type ModelSummary, type SummaryOptions } from './summary.js';
export * as init from './init.js';
