// Reductions of contiguous floats. Sums run in a fixed number of lanes and are joined in a fixed order.
#pragma once

#include <cstdint>

namespace nativegrad::cpu {

struct ReduceKernels {
    float (*sum)(const float* x, int64_t n);
    float (*sum_of_squares)(const float* x, float center, int64_t n);  // sum of (x - center)^2
    float (*max)(const float* x, int64_t n);                           // NaN wins; n > 0
    float (*min)(const float* x, int64_t n);
    // For r < rows, j < n, with v = x[r * row_stride + j]; a column's result does not depend on n.
    void (*add_rows)(const float* x, int64_t row_stride, int64_t rows, float* y, int64_t n);  // y[j] += v
    // total[j] += v: few rows at a time in float, for the error of a long float sum would grow with its
    // length
    void (*add_rows_wide)(const float* x, int64_t row_stride, int64_t rows, double* total, int64_t n);
    // y[j] += (v - center[j])^2
    void (*add_square_rows)(const float* x, int64_t row_stride, int64_t rows, const float* center, float* y,
                            int64_t n);
    void (*max_rows)(const float* x, int64_t row_stride, int64_t rows, float* y, int64_t n);  // NaN wins
    void (*min_rows)(const float* x, int64_t row_stride, int64_t rows, float* y, int64_t n);
};

}  // namespace nativegrad::cpu
