// What the ops of a linear layer ask of their operands.
#pragma once

#include "ops/functions.h"
#include "ops/operands.h"

namespace nativegrad::cuda {

inline bool is_matrix(const TensorView& x, int64_t rows, int64_t columns) {
    return x.rank == 2 && x.shape[0] == rows && x.shape[1] == columns;
}

inline bool is_dense_row(const TensorView& x, int64_t n) {
    return x.rank == 1 && x.shape[0] == n && (n <= 1 || x.strides[0] == 1);
}

// Fails unless all operands have one float dtype.
inline void check_one_float(const OpCall& call) {
    const DType dtype = call.outputs[0].dtype;
    bool same = true;
    for (int32_t i = 0; i < call.input_count; ++i) same = same && call.inputs[i].dtype == dtype;
    for (int32_t i = 0; i < call.output_count; ++i) same = same && call.outputs[i].dtype == dtype;
    if (!same) fail("needs operands of one dtype");
    if (!is_float(dtype)) fail("needs a float dtype, got %s", dtype_name(dtype));
}

inline void check_function(int32_t function, int32_t count) {
    if (function < 0 || function >= count) fail("no function %d", function);
}

}  // namespace nativegrad::cuda
