// Kernels over one contiguous row of n floats.
#pragma once

#include <cstdint>

namespace nativegrad::cpu {

struct SoftmaxKernels {
    // y = exp(x - shift); returns the sum of y. y may be null: only the sum is wanted.
    float (*exp_sum)(const float* x, float shift, float* y, int64_t n);
};

}  // namespace nativegrad::cpu
