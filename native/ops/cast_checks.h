// The operands of cast_all, for every backend.
#pragma once

#include "ops/operands.h"

namespace nativegrad {

// True when both walk the same memory order without gaps; the strides of dimensions of size 1 say nothing.
inline bool have_one_order(const TensorView& a, const TensorView& b) {
    if (a.rank != b.rank || !is_dense(a) || !is_dense(b)) return false;
    for (int32_t axis = 0; axis < a.rank; ++axis) {
        if (a.shape[axis] != b.shape[axis]) return false;
        if (a.shape[axis] > 1 && a.strides[axis] != b.strides[axis]) return false;
    }
    return true;
}

inline bool is_low_precision(DType dtype) { return dtype == DType::float16 || dtype == DType::bfloat16; }

// x [...] float32 each -> [...] float16 or bfloat16 each, all of one dtype, in the order of its x
inline void check_cast_all(const OpCall& call) {
    constexpr int32_t most_casts = 64;
    expect_operands(call, call.input_count, call.input_count);
    if (call.input_count < 1 || call.input_count > most_casts) fail("takes 1 to %d tensors", most_casts);
    const DType to = call.outputs[0].dtype;
    for (int32_t i = 0; i < call.input_count; ++i) {
        const TensorView &x = call.inputs[i], &out = call.outputs[i];
        if (x.is_host_scalar || x.dtype != DType::float32 || out.dtype != to || !is_low_precision(to))
            fail("takes float32 to float16 or bfloat16, got %s to %s", dtype_name(x.dtype),
                 dtype_name(out.dtype));
        if (!have_one_order(x, out)) fail("tensor %d and its result must have one dense memory order", i);
    }
}

}  // namespace nativegrad
