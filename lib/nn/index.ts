export { Module, type Layer, type ModuleOfSeveral, type SequentialLayer, type StateDict } from './module.js';
export type { BackwardHook, ForwardHook, ForwardPreHook } from './forward_call.js';
export { Parameter } from './parameter.js';
export { ModuleDict, ModuleList, Sequential } from './containers.js';
export { GRU } from './gru.js';
export { LSTM } from './lstm.js';
export type { RecurrentOptions } from './recurrent.js';
export type { SequenceOptions } from './sequence_lengths.js';
export { MultiheadAttention, type AttendOptions, type MultiheadAttentionOptions } from './attention.js';
export { Linear, type LinearOptions } from './linear.js';
export {
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    type Conv1dOptions,
    type Conv2dOptions,
    type ConvTranspose2dOptions,
} from './conv.js';
export { AdaptiveAvgPool2d, AvgPool2d, MaxPool2d } from './pool.js';
export { BatchNorm1d, BatchNorm2d, type BatchNormLayerOptions } from './batch_norm.js';
export { GroupNorm, LayerNorm, type GroupNormOptions, type LayerNormOptions } from './norm.js';
export { Dropout, type DropoutLayerOptions } from './dropout.js';
export { Embedding, type EmbeddingOptions } from './embedding.js';
export { Flatten } from './flatten.js';
export * from './activations.js';
export { crossEntropy } from './losses/cross_entropy.js';
export { nllLoss, type NLLOptions } from './losses/nll.js';
export { l1Loss, mseLoss, smoothL1Loss, type SmoothL1Options } from './losses/regression.js';
export { bceLoss, bceWithLogits, type BCEOptions, type BCEWithLogitsOptions } from './losses/binary.js';
export type { LossOptions } from './losses/reduction.js';
export type { CrossEntropyOptions, Reduction } from '../ops/cross_entropy.js';
export { ConfigError, fromConfig, toConfig, type LayerConfig, type ModelConfig } from './config.js';
export type { Json } from './config_fields.js';
export { loadModel, ModelFileError, saveModel, type SavedModel } from './model_file.js';
export { exportOnnx, type ExportOnnxOptions } from './onnx/export_onnx.js';
export type { OnnxAttribute } from '../io/onnx/onnx_model.js';
export type { OnnxBuilder, OnnxModule, OnnxValue } from './onnx/builder.js';
export { loadOnnx } from './onnx/load_onnx.js';
export { OnnxError } from '../io/onnx/onnx_error.js';
export type { ModelInfo, Normalization } from './model_info.js';
export type { InitOptions } from './draw.js';
export { LogSoftmax, Softmax } from './softmax.js';
export { summary, type LayerSummary, type ModelSummary, type SummaryOptions } from './summary.js';
export * as init from './init.js';
