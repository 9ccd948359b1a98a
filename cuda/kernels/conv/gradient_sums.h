// The second pass of a convolution's gradients.
#pragma once

#include "backend/queue.h"
#include "kernels/conv/conv_shape.h"

namespace nativegrad::cuda {

// partials [splits, O, kH, kW, C / groups], sums [splits, O] -> dw [O, C / groups, kH, kW], db [O], of any
// strides; `sums` may be null. In the order of the splits.
void join_gradients(const ConvShape& shape, const float* partials, const float* sums, int64_t splits,
                    const TensorView& dw, const TensorView* db, Stream stream);

}  // namespace nativegrad::cuda
