// Statistics and normalisation along the rows of x [rows, n], one value per column, columns side by side.
#pragma once

#include <cstdint>

namespace nativegrad::cpu {

struct NormKernels {
    // mean[j] over the rows and the sum of squares around it; meant for a chunk that stays in the cache
    void (*column_moments)(const float* x, int64_t rows, int64_t n, float* mean, float* squares);
    // sum[j] = sum of dy, product[j] = sum of dy (x - mean[j])
    void (*column_products)(const float* dy, const float* x, const float* mean, int64_t rows, int64_t n,
                            float* sum, float* product);
    // y = (x - mean) scale + shift
    void (*normalize_columns)(const float* x, const float* mean, const float* scale, const float* shift,
                              int64_t rows, int64_t n, float* y);
    // dx = (dy - sum - (x - mean) product) scale
    void (*normalize_columns_backward)(const float* dy, const float* x, const float* mean, const float* sum,
                                       const float* product, const float* scale, int64_t rows, int64_t n,
                                       float* dx);
};

}  // namespace nativegrad::cpu
