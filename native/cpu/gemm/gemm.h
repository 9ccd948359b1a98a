// Matrix product C[m, n] = A[m, k] B[k, n] with any strides of A and B.
#pragma once

#include <cstdint>

namespace nativegrad::cpu {

template <class T>
struct Matrix {
    const T* data;
    int64_t row_stride, column_stride;
};

// c is row-major with the given row stride. k = 0 writes zeros. The order of the sums depends on the shapes
// alone.
void gemm(int64_t m, int64_t n, int64_t k, const Matrix<float>& a, const Matrix<float>& b, float* c,
          int64_t c_row_stride);
void gemm(int64_t m, int64_t n, int64_t k, const Matrix<double>& a, const Matrix<double>& b, double* c,
          int64_t c_row_stride);
void gemm(int64_t m, int64_t n, int64_t k, const Matrix<int64_t>& a, const Matrix<int64_t>& b, int64_t* c,
          int64_t c_row_stride);

}  // namespace nativegrad::cpu
