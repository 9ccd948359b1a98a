export * from './activation.js';
export { scaledDotProductAttention, type AttentionOptions } from './attention.js';
export * from './avg_pool.js';
export * from './conv.js';
export { dropout, type DropoutOptions } from './dropout.js';
export * from './interpolate.js';
import './iterate.js';
export * from './norm.js';
export * from './row_norm.js';
export { maxPool2d, type MaxPoolOptions, type PoolOptions } from './pool.js';
export type { Pair } from './pair.js';
export { add, div, floorDivide, maximum, minimum, mul, remainder, sub } from './arithmetic.js';
export { checkpoint } from './checkpoint.js';
export * from './compare.js';
export { cast, clone, contiguous, to } from './convert.js';
export * from './create.js';
export {
    abs_,
    add_,
    ceil_,
    clamp_,
    copy_,
    div_,
    exp_,
    fill_,
    floorDivide_,
    floor_,
    log_,
    maskedFill_,
    mul_,
    neg_,
    pow_,
    reciprocal_,
    relu_,
    remainder_,
    round_,
    rsqrt_,
    sigmoid_,
    sqrt_,
    square_,
    sub_,
    tanh_,
    zero_,
} from './in_place.js';
export { defaultGenerator, Generator, manualSeed, type GeneratorState } from './generator.js';
export {
    bernoulli,
    bernoulli_,
    normal_,
    rand,
    randint,
    randn,
    randperm,
    uniform_,
    type RandomOptions,
} from './random.js';
export { affineSample, batchGather, type BatchGatherOptions } from './batch.js';
export { linear } from './linear.js';
export { matmul } from './matmul.js';
export { broadcastTo, flip, movedim, repeat, roll, swapAxes } from './arrange.js';
export * from './diagonal.js';
export * from './einsum.js';
export { argmax, argmin, max, maxWithIndices, min, minWithIndices } from './extreme.js';
export { embedding, gather, indexSelect, scatterAdd, take } from './gather.js';
export * from './join.js';
export * from './pad.js';
export { mean, prod, sum, type Axes } from './reduce.js';
export { all, any, countNonzero } from './logic_reduce.js';
export { cumsum } from './scan.js';
export { logSoftmax, logsumexp, softmax } from './softmax.js';
export { std, variance, variance as var } from './statistics.js';
export { norm } from './vector_norm.js';
export * from './select_where.js';
export * from './sort.js';
export { unbind } from './unbind.js';
export * from './windows.js';
export { pow } from './pow.js';
export * from './shape_ops.js';
export { detach } from './tape.js';
export {
    abs,
    ceil,
    cos,
    erf,
    exp,
    expm1,
    floor,
    log,
    log1p,
    log2,
    neg,
    reciprocal,
    round,
    rsqrt,
    sign,
    sin,
    sqrt,
    square,
    tan,
    trunc,
} from './unary.js';
export { clamp, maskedFill, where } from './where.js';
export type { Operand } from './kernels.js';
