// Optimizer updates over n contiguous elements, in place.
#pragma once

#include <cstdint>

#include "ops/optimizer_steps.h"

namespace nativegrad::cpu {

struct OptimizerKernels {
    // largest is the running maximum of v (AMSGrad), or null
    void (*adam)(const AdamStep& step, float* p, const float* g, float* m, float* v, float* largest,
                 int64_t n);
    // velocity is null without momentum
    void (*sgd)(const SgdStep& step, float* p, const float* g, float* velocity, int64_t n);
    // mean is the running mean of g (centered), velocity that of the steps (momentum), or null
    void (*rmsprop)(const RmspropStep& step, float* p, const float* g, float* square, float* mean,
                    float* velocity, int64_t n);
    // `adam` with the gradient [rows, columns] = a^T b, a [k, rows] at (a_step, 1), b [k, columns] at
    // (b_step, 1), each element one chain of multiply-adds over k; p, m, v [rows, columns] at (row_stride,
    // 1). Null where there are too few registers for it.
    void (*adam_product)(const AdamStep& step, int64_t k, const float* a, int64_t a_step, const float* b,
                         int64_t b_step, int64_t rows, int64_t columns, float* p, float* m, float* v,
                         int64_t row_stride);
};

}  // namespace nativegrad::cpu
