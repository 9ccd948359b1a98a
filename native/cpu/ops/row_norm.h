// Normalisation of rows side by side: vector kernels for float, plain loops for double. Operands as in
// NormKernels.
#pragma once

#include <cmath>

#include "cpu/kernel_table.h"

namespace nativegrad::cpu {

inline void normalize_rows(const float* x, int64_t rows, int64_t n, double epsilon, const float* weight,
                           const float* bias, float* y, float* mean, float* inverse) {
    kernels().norm.normalize_rows(x, rows, n, epsilon, weight, bias, y, mean, inverse);
}

inline void normalize_rows(const double* x, int64_t rows, int64_t n, double epsilon, const double* weight,
                           const double* bias, double* y, double* mean, double* inverse) {
    const double count = static_cast<double>(n);
    for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < n; ++i) sum += x[i];
        const double center = sum / count;
        for (int64_t i = 0; i < n; ++i) squares += (x[i] - center) * (x[i] - center);
        const double scale = 1 / std::sqrt(squares / count + epsilon);
        for (int64_t i = 0; i < n; ++i) {
            const double v = (x[i] - center) * scale;
            y[i] = weight == nullptr ? v : v * weight[i] + bias[i];
        }
        if (mean != nullptr) mean[r] = center;
        inverse[r] = scale;
    }
}

inline void normalize_rows_backward(const float* dy, const float* x, const float* mean, const float* inverse,
                                    const float* weight, int64_t rows, int64_t n, float* dx, float* dweight,
                                    float* dbias) {
    kernels().norm.normalize_rows_backward(dy, x, mean, inverse, weight, rows, n, dx, dweight, dbias);
}

inline void normalize_rows_backward(const double* dy, const double* x, const double* mean,
                                    const double* inverse, const double* weight, int64_t rows, int64_t n,
                                    double* dx, double* dweight, double* dbias) {
    const double count = static_cast<double>(n);
    for (int64_t i = 0; dweight != nullptr && i < n; ++i) dweight[i] = dbias[i] = 0;
    for (int64_t r = 0; r < rows; ++r, dy += n, x += n, dx += n) {
        const double center = mean[r], scale = inverse[r];
        const auto gradient = [=](int64_t i) { return weight == nullptr ? dy[i] : dy[i] * weight[i]; };
        double sum = 0, product = 0;
        for (int64_t i = 0; i < n; ++i) {
            const double v = (x[i] - center) * scale;
            sum += gradient(i);
            product += gradient(i) * v;
            if (dweight == nullptr) continue;
            dweight[i] += dy[i] * v;
            dbias[i] += dy[i];
        }
        for (int64_t i = 0; i < n; ++i) {
            const double v = (x[i] - center) * scale;
            dx[i] = (gradient(i) - sum / count - v * (product / count)) * scale;
        }
    }
}

}  // namespace nativegrad::cpu
