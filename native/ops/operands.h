// Checks, views and dispatch that the ops of every backend share.
#pragma once

#include "backend/error.h"
#include "tensor/tensor_view.h"

namespace nativegrad {

inline void expect_operands(const OpCall& call, int32_t inputs, int32_t outputs) {
    if (call.input_count != inputs || call.output_count != outputs) {
        fail("takes %d inputs and %d outputs, got %d and %d", inputs, outputs, call.input_count,
             call.output_count);
    }
}

// The view with the output's shape: dimensions of size 1 and missing leading ones get stride 0.
inline TensorView broadcast_to(const TensorView& view, const TensorView& out) {
    if (view.rank > out.rank)
        fail("an operand of rank %d does not broadcast to rank %d", view.rank, out.rank);
    TensorView result = view;
    result.rank = out.rank;
    const int32_t missing = out.rank - view.rank;
    for (int32_t axis = 0; axis < out.rank; ++axis) {
        const int64_t size = axis < missing ? 1 : view.shape[axis - missing];
        if (size != 1 && size != out.shape[axis]) fail("operand sizes do not broadcast along axis %d", axis);
        result.strides[axis] = size == 1 && out.shape[axis] != 1 ? 0
                               : axis < missing                  ? 0
                                                                 : view.strides[axis - missing];
        result.shape[axis] = out.shape[axis];
    }
    return result;
}

// Calls body(T{}) with float or double.
template <class Body>
void with_float_compute(DType dtype, const Body& body) {
    if (!is_float(dtype)) fail("needs a float dtype, got %s", dtype_name(dtype));
    if (dtype == DType::float64) return body(double{});
    body(float{});
}

// Calls body(T{}) with the type in which tensors of that dtype are computed.
template <class Body>
void with_compute_type(DType dtype, const Body& body) {
    switch (compute_class(dtype)) {
        case ComputeClass::f32:
            return body(float{});
        case ComputeClass::f64:
            return body(double{});
        case ComputeClass::i64:
            return body(int64_t{});
    }
}

}  // namespace nativegrad
