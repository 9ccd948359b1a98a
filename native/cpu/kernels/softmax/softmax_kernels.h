// Softmax and cross entropy of floats. Rows lie side by side without gaps; y may be x, dx may be dy.
#pragma once

#include <cstdint>

namespace nativegrad::cpu {

struct CrossEntropyTerms {
    float on_target;  // 1 - smoothing, before the class weight
    float share;      // smoothing / C
    float weight_sum;
    const float* weights;  // one per class; null = all 1
    int64_t ignored;       // rows with this label give 0
};

struct SoftmaxKernels {
    // y = exp(x - shift) of n elements; returns the sum of y. y may be null: only the sum is wanted.
    float (*exp_sum)(const float* x, float shift, float* y, int64_t n);
    // x [rows, n] -> y [rows, n], over each row; log: the logarithm of that
    void (*rows)(const float* x, float* y, int64_t rows, int64_t n, bool log);
    // dy, y [rows, n] -> dx [rows, n]
    void (*rows_backward)(const float* dy, const float* y, float* dx, int64_t rows, int64_t n, bool log);
    // The same over each of `width` columns of n elements that are `step` apart; a column's result does not
    // depend on its place.
    void (*columns)(const float* x, float* y, int64_t n, int64_t step, int64_t width, bool log);
    void (*columns_backward)(const float* dy, const float* y, float* dx, int64_t n, int64_t step,
                             int64_t width, bool log);
    // scores x [rows, n], labels [rows] in [0, n) or ignored -> losses [rows]
    void (*cross_entropy)(const float* x, const int64_t* labels, int64_t rows, int64_t n,
                          const CrossEntropyTerms& terms, float* losses);
    // d losses [rows] -> dx [rows, n]
    void (*cross_entropy_backward)(const float* d_losses, const float* x, const int64_t* labels, int64_t rows,
                                   int64_t n, const CrossEntropyTerms& terms, float* dx);
};

}  // namespace nativegrad::cpu
