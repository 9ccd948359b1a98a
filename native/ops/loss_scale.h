// What an optimizer's op takes from a loss scaler, and how the scaler goes on; the same for every backend.
//
// inputs: found int32 [] (not 0: no tensor of the call changes), then, where gradients are still scaled,
// their multiplier float32 []. Each group has one tensor more at its end: skipped int32 [], which counts the
// steps left out. A copy in 16 bits (low_copies.h) stands before it.
#pragma once

#include <cmath>

#include "ops/low_copies.h"
#include "ops/op_params.h"
#include "tensor/host_device.h"

namespace nativegrad {

inline void expect_number(const TensorView& view, DType dtype, const char* what) {
    if (view.is_host_scalar || view.dtype != dtype || element_count(view) != 1)
        fail("%s must be one element of %s, got %lld of %s", what, dtype_name(dtype),
             static_cast<long long>(element_count(view)), dtype_name(view.dtype));
}

// The tensors of each group, of an op that takes `tensors` for itself.
inline int32_t update_group_size(const OpCall& call, int32_t tensors, bool casts) {
    if (call.input_count > 2) fail("takes found and a multiplier at most, got %d inputs", call.input_count);
    if (call.input_count > 0) expect_number(call.inputs[0], DType::int32, "found");
    if (call.input_count > 1) expect_number(call.inputs[1], DType::float32, "the multiplier");
    const int32_t own = tensors + (casts ? 1 : 0), size = own + (call.input_count > 0 ? 1 : 0);
    if (call.output_count % size != 0) fail("takes groups of %d tensors to update", size);
    for (int32_t i = 0; i < call.output_count; i += size) {
        if (casts) check_low_copy(call.outputs[i], call.outputs[i + tensors]);
        if (size > own) expect_number(call.outputs[i + own], DType::int32, "the count of skipped steps");
    }
    return size;
}

// Operands of amp_check: the inverse of the scale, gradients -> found(, sum of squares).
inline void check_amp_check(const OpCall& call) {
    if (call.input_count < 1 || call.output_count < 1 || call.output_count > 2)
        fail("takes the inverse scale, gradients, found and a sum of squares");
    expect_number(call.inputs[0], DType::float32, "the inverse scale");
    expect_number(call.outputs[0], DType::int32, "found");
    if (call.output_count == 2) expect_number(call.outputs[1], DType::float64, "the sum of squares");
}

inline void check_gradient(const TensorView& gradient) {
    if (gradient.is_host_scalar || (gradient.dtype != DType::float32 && gradient.dtype != DType::float64))
        fail("gradients must be float32 or float64 tensors, got %s; keep the parameters in float32",
             dtype_name(gradient.dtype));
    if (!is_dense(gradient)) fail("gradients must lie in memory without gaps");
}

// Operands of amp_unscale: the inverse of the scale -> found, gradients.
inline void check_amp_unscale(const OpCall& call) {
    if (call.input_count != 1 || call.output_count < 1) fail("takes the inverse scale, found and gradients");
    expect_number(call.inputs[0], DType::float32, "the inverse scale");
    expect_number(call.outputs[0], DType::int32, "found");
    for (int32_t i = 1; i < call.output_count; ++i) check_gradient(call.outputs[i]);
}

// Operands of amp_factor: inverse scale, sums of squares [calls] -> multiplier, norm.
inline void check_amp_factor(const OpCall& call) {
    expect_operands(call, 2, 2);
    expect_number(call.inputs[0], DType::float32, "the inverse scale");
    const TensorView& squares = call.inputs[1];
    if (squares.is_host_scalar || squares.dtype != DType::float64 || !is_row_major(squares))
        fail("the sums of squares must be a row-major float64 tensor");
    expect_number(call.outputs[0], DType::float32, "the multiplier");
    expect_number(call.outputs[1], DType::float32, "the norm");
}

// Operands of amp_update: -> scale, inverse, counts [3], found...
inline void check_amp_update(const OpCall& call) {
    if (call.input_count != 0 || call.output_count < 3)
        fail("takes scale, inverse, counts and found to update");
    expect_number(call.outputs[0], DType::float32, "the scale");
    expect_number(call.outputs[1], DType::float32, "the inverse scale");
    const TensorView& counts = call.outputs[2];
    if (counts.dtype != DType::int32 || !is_row_major(counts) || element_count(counts) != 3)
        fail("the counts must be 3 elements of int32");
    for (int32_t i = 3; i < call.output_count; ++i) expect_number(call.outputs[i], DType::int32, "found");
}

// multiplier = inverse * min(1, max_norm / (norm + 1e-6)), norm = sqrt(squares)
NATIVEGRAD_HOST_DEVICE inline void write_factor(double max_norm, double squares, float inverse,
                                                float* multiplier, float* norm) {
    const double length = sqrt(squares), ratio = max_norm / (length + 1e-6);
    *multiplier = static_cast<float>(inverse * (ratio < 1 ? ratio : 1.0));
    *norm = static_cast<float>(length);
}

struct ScaleChange {
    double growth, backoff, interval;
};

inline ScaleChange scale_change_of(const AmpUpdateParams& params) {
    return {params.growth_factor.values[0], params.backoff_factor.values[0],
            params.growth_interval.values[0]};
}

// The scale after a step, as in PyTorch. It stays where it, or its inverse, would be infinite: a gradient of
// 0 would become NaN. counts: steps since the scale was changed, steps left out, those left out in a row up
// to now.
NATIVEGRAD_HOST_DEVICE inline void change_scale(const ScaleChange& change, bool found, float* scale,
                                                float* inverse, int32_t* counts) {
    counts[1] += found ? 1 : 0;
    counts[2] = found ? counts[2] + 1 : 0;
    counts[0] = found ? 0 : counts[0] + 1;
    if (!found && counts[0] < change.interval) return;
    counts[0] = 0;
    const float next = static_cast<float>(*scale * (found ? change.backoff : change.growth));
    const float reciprocal = static_cast<float>(1.0 / static_cast<double>(next));
    if (next - next != 0 || reciprocal - reciprocal != 0) return;
    *scale = next;
    *inverse = reciprocal;
}

}  // namespace nativegrad
