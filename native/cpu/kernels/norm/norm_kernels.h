// Statistics and normalisation of x [rows, n]: by columns, one value per column, and by rows.
#pragma once

#include <cstdint>

namespace nativegrad::cpu {

// Windows of 2 x 2 pixels side by side.
struct WindowRow {
    int64_t windows, channels;
    int64_t pixel_row;  // elements from one row of pixels to the next
};

struct NormKernels {
    // mean[j] over the rows and the sum of squares around it; meant for a chunk that stays in the cache
    void (*column_moments)(const float* x, int64_t rows, int64_t n, float* mean, float* squares);
    // sum[j] = sum of dy, product[j] = sum of dy (x - mean[j]); y: null, or dy counts only where y > 0
    void (*column_products)(const float* dy, const float* y, const float* x, const float* mean, int64_t rows,
                            int64_t n, float* sum, float* product);
    // y = (x - mean) scale + shift, at least 0 if relu
    void (*normalize_columns)(const float* x, const float* mean, const float* scale, const float* shift,
                              int64_t rows, int64_t n, bool relu, float* y);
    // dx = (dy - sum - (x - mean) product) scale; y: null, or dy counts only where y > 0
    void (*normalize_columns_backward)(const float* dy, const float* y, const float* x, const float* mean,
                                       const float* sum, const float* product, const float* scale,
                                       int64_t rows, int64_t n, float* dx);
    // y = largest of max(0, (x - mean) scale + shift) over the pixels of each window, index = which of them,
    // as PoolKernels::max
    void (*normalize_pool)(const float* x, const WindowRow& row, const float* mean, const float* scale,
                           const float* shift, float* y, uint8_t* index);
    // sum += dy, product += dy (x at index - mean), both where y > 0
    void (*pool_products)(const float* dy, const float* y, const uint8_t* index, const float* x,
                          const WindowRow& row, const float* mean, float* sum, float* product);
    // dx = (g - sum - (x - mean) product) scale, g = dy at index where y > 0, else 0
    void (*normalize_pool_backward)(const float* dy, const float* y, const uint8_t* index, const float* x,
                                    const WindowRow& row, const float* mean, const float* sum,
                                    const float* product, const float* scale, float* dx);
    // y = (x - m) r w + b with m, r = mean and 1 / standard deviation of each row; weight and bias [n] or
    // both null; mean [rows] or null
    void (*normalize_rows)(const float* x, int64_t rows, int64_t n, double epsilon, const float* weight,
                           const float* bias, float* y, float* mean, float* inverse);
    // dx = (g - mean(g) - v mean(g v)) r with g = dy w, v = (x - m) r; dweight = sum of dy v, dbias = sum of
    // dy over the rows, or both null
    void (*normalize_rows_backward)(const float* dy, const float* x, const float* mean, const float* inverse,
                                    const float* weight, int64_t rows, int64_t n, float* dx, float* dweight,
                                    float* dbias);
};

}  // namespace nativegrad::cpu
