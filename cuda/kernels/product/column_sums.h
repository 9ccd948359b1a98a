#pragma once

#include "backend/queue.h"
#include "kernels/product/finish.h"

namespace nativegrad::cuda {

// x [M, N] of any strides and float dtype -> finish [1, N]: sums over M, of a fixed order
void sum_columns(const TensorView& x, const Finish& finish, Queue& queue);

}  // namespace nativegrad::cuda
