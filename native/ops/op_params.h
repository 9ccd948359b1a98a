// Parameter structs of the ops: plain data that crosses the plugin ABI.
//
// Each struct lists its fields once in `fields`. From that list come the decoder of the argument block, the
// names that lib/native checks its own order against, and the ABI hash. A ScalarSlot is a hyper-parameter
// that may differ from model to model and from step to step: never an immediate.
#pragma once

#include <cstdint>

#include "tensor/tensor_view.h"

namespace nativegrad {

struct ScalarSlot {
    const double* values;  // one per model
};

// Up to max_rank integers: axes, window sizes, paddings.
struct IntList {
    int32_t count;
    int64_t values[2 * max_rank];
};

#define NATIVEGRAD_FIELDS(...)    \
    template <class Visitor>      \
    void fields(Visitor& visit) { \
        __VA_ARGS__               \
    }

struct NoParams {
    NATIVEGRAD_FIELDS((void)visit;)
};

struct FillParams {
    double value;
    NATIVEGRAD_FIELDS(visit("value", value);)
};

// out[i] = start + i * step, in the output's dtype
struct RangeParams {
    double start, step;
    NATIVEGRAD_FIELDS(visit("start", start); visit("step", step);)
};

// function: row of elementwise_table.def; p0 and p1 are its constants (slope, bounds, ...)
struct UnaryParams {
    int32_t function;
    ScalarSlot p0, p1;
    NATIVEGRAD_FIELDS(visit("function", function); visit("p0", p0); visit("p1", p1);)
};

struct BinaryParams {
    int32_t function;
    ScalarSlot p0, p1;
    NATIVEGRAD_FIELDS(visit("function", function); visit("p0", p0); visit("p1", p1);)
};

// Step i applies functions[i] (rows of elementwise_table.def: first the unary ones, then the binary ones) to
// operands lefts[i] and rights[i], with constants p0[i] and p1[i]. Operands count the inputs, then the steps;
// outputs says which steps are written. At most 16 of each.
struct ChainParams {
    IntList functions, lefts, rights, outputs;
    ScalarSlot p0[2 * max_rank], p1[2 * max_rank];

    template <class Visitor>
    void fields(Visitor& visit) {
        visit("functions", functions);
        visit("lefts", lefts);
        visit("rights", rights);
        visit("outputs", outputs);
        for (ScalarSlot& slot : p0) visit("p0", slot);
        for (ScalarSlot& slot : p1) visit("p1", slot);
    }
};

// dtype: in which both operands are compared
struct CompareParams {
    int32_t function, dtype;
    NATIVEGRAD_FIELDS(visit("function", function); visit("dtype", dtype);)
};

// axes: sorted, non-negative. p0: correction of var and std.
struct ReduceParams {
    int32_t function;
    double p0;
    IntList axes;
    NATIVEGRAD_FIELDS(visit("function", function); visit("p0", p0); visit("axes", axes);)
};

struct AxisParams {
    int64_t axis;
    NATIVEGRAD_FIELDS(visit("axis", axis);)
};

// reverse: 1 = sums run from the end
struct ScanParams {
    int64_t axis;
    int32_t reverse;
    NATIVEGRAD_FIELDS(visit("axis", axis); visit("reverse", reverse);)
};

// skip: an index whose slices are left out; -1 = none
struct IndexAddParams {
    int64_t axis, skip;
    NATIVEGRAD_FIELDS(visit("axis", axis); visit("skip", skip);)
};

// wrap: 1 = negative indices count from the end
struct GatherParams {
    int64_t axis;
    int32_t wrap;
    NATIVEGRAD_FIELDS(visit("axis", axis); visit("wrap", wrap);)
};

struct SortParams {
    int64_t axis;
    int32_t descending;
    NATIVEGRAD_FIELDS(visit("axis", axis); visit("descending", descending);)
};

// 1 = that operand is taken with its last two dimensions swapped
struct MatmulParams {
    int32_t transpose_a, transpose_b;
    NATIVEGRAD_FIELDS(visit("transpose_a", transpose_a); visit("transpose_b", transpose_b);)
};

// log: 1 = log-softmax
struct SoftmaxParams {
    int64_t axis;
    int32_t log;
    NATIVEGRAD_FIELDS(visit("axis", axis); visit("log", log);)
};

struct CrossEntropyParams {
    int64_t ignore_index;
    ScalarSlot label_smoothing;
    NATIVEGRAD_FIELDS(visit("ignore_index", ignore_index); visit("label_smoothing", label_smoothing);)
};

// mean: 1 = the gradient is that of the mean, and what the mean divided by is another input
struct CrossEntropyBackwardParams {
    int64_t ignore_index;
    ScalarSlot label_smoothing;
    int32_t mean;
    NATIVEGRAD_FIELDS(visit("ignore_index", ignore_index); visit("label_smoothing", label_smoothing);
                      visit("mean", mean);)
};

struct LabelMeanParams {
    int64_t ignore_index;
    NATIVEGRAD_FIELDS(visit("ignore_index", ignore_index);)
};

// Each list has one entry for rows and one for columns; padding: rows before and after, columns before and
// after.
struct ConvParams {
    IntList stride, padding, dilation;
    int64_t groups;
    NATIVEGRAD_FIELDS(visit("stride", stride); visit("padding", padding); visit("dilation", dilation);
                      visit("groups", groups);)
};

// training: 1 = statistics of the batch, 0 = the running ones, 2 = those of the batch, which are given.
// affine: 1 = weight and bias are given.
struct BatchNormParams {
    ScalarSlot momentum, epsilon;
    int32_t training, affine;
    NATIVEGRAD_FIELDS(visit("momentum", momentum); visit("epsilon", epsilon); visit("training", training);
                      visit("affine", affine);)
};

// Two entries each, rows and columns; padding counts before the image (after it is what the windows reach).
struct PoolParams {
    IntList kernel, stride, padding, dilation;
    NATIVEGRAD_FIELDS(visit("kernel", kernel); visit("stride", stride); visit("padding", padding);
                      visit("dilation", dilation);)
};

// axis: the first of those that one mean and one variance cover
struct LayerNormParams {
    int64_t axis;
    ScalarSlot epsilon;
    NATIVEGRAD_FIELDS(visit("axis", axis); visit("epsilon", epsilon);)
};

// Element i of the logical order is kept where word i % 4 of the Philox block offset + i / 4, as a number in
// [0, 1), is not below probability.
struct DropoutParams {
    ScalarSlot probability, seed, offset;
    NATIVEGRAD_FIELDS(visit("probability", probability); visit("seed", seed); visit("offset", offset);)
};

// Philox 4x32-10: key = seed, counter = offset + element / 4. distribution: row of random_table.def.
struct RandomParams {
    int32_t distribution;
    ScalarSlot low, high, seed, offset;
    NATIVEGRAD_FIELDS(visit("distribution", distribution); visit("low", low); visit("high", high);
                      visit("seed", seed); visit("offset", offset);)
};

// out = x[index] * scale + shift, in the output's float dtype
struct BatchGatherParams {
    double scale, shift;
    NATIVEGRAD_FIELDS(visit("scale", scale); visit("shift", shift);)
};

// step counts from 1, under a loss scaler with the steps left out. decoupled: 1 = AdamW. casts, here and in
// the other optimizers: 1 = each group has a copy of its parameter in 16 bits, see low_copies.h.
struct AdamParams {
    ScalarSlot lr, beta1, beta2, epsilon, weight_decay, step;
    int32_t decoupled, amsgrad, casts;
    NATIVEGRAD_FIELDS(visit("lr", lr); visit("beta1", beta1); visit("beta2", beta2);
                      visit("epsilon", epsilon); visit("weight_decay", weight_decay); visit("step", step);
                      visit("decoupled", decoupled); visit("amsgrad", amsgrad); visit("casts", casts);)
};

// has_velocity: 1 = momentum is kept. first: 1 = it takes the gradient itself, as PyTorch does in the first
// step; under a loss scaler the number of steps since the velocity was made, those left out included.
struct SgdParams {
    ScalarSlot lr, momentum, dampening, weight_decay;
    int32_t nesterov, has_velocity;
    ScalarSlot first;
    int32_t casts;
    NATIVEGRAD_FIELDS(visit("lr", lr); visit("momentum", momentum); visit("dampening", dampening);
                      visit("weight_decay", weight_decay); visit("nesterov", nesterov);
                      visit("has_velocity", has_velocity); visit("first", first); visit("casts", casts);)
};

// centered: 1 = the running mean of the gradient is kept and taken off. has_velocity: 1 = momentum is kept.
struct RmspropParams {
    ScalarSlot lr, alpha, epsilon, weight_decay, momentum;
    int32_t centered, has_velocity, casts;
    NATIVEGRAD_FIELDS(visit("lr", lr); visit("alpha", alpha); visit("epsilon", epsilon);
                      visit("weight_decay", weight_decay); visit("momentum", momentum);
                      visit("centered", centered); visit("has_velocity", has_velocity);
                      visit("casts", casts);)
};

// multiplier = inverse * min(1, max_norm / (norm + 1e-6))
struct AmpFactorParams {
    ScalarSlot max_norm;
    NATIVEGRAD_FIELDS(visit("max_norm", max_norm);)
};

// growth_interval: steps without overflow after which the scale grows
struct AmpUpdateParams {
    ScalarSlot growth_factor, backoff_factor, growth_interval;
    NATIVEGRAD_FIELDS(visit("growth_factor", growth_factor); visit("backoff_factor", backoff_factor);
                      visit("growth_interval", growth_interval);)
};

}  // namespace nativegrad
