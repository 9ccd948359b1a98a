// Matrix product C[m, n] = A[m, k] B[k, n] (+ bias[n]) with any strides of A and B.
//
// The order of the sums depends on k alone: blocks of k_block products, each one chain of multiply-adds from
// 0, are added up in order (bias first). So a value depends neither on its place, nor on the tile, path or
// thread that made it, nor on the strides.
#pragma once

#include <cstdint>

#include "tensor/half.h"

namespace nativegrad::cpu {

template <class T>
struct Matrix {
    const T* data;
    int64_t row_stride, column_stride;
};

struct Range {
    int64_t begin, end;
    int64_t size() const { return end - begin; }
};

// Which axis of C the threads divide among themselves: products that agree on it find what they share in the
// cache of the thread that wrote it. `none`: as it suits the product.
enum class GemmOwner : int32_t { none, rows, columns };

// `finish(context, rows, columns)` is called for each part of C once its elements are there, by the thread
// that made them; the parts cover C once.
struct GemmExtras {
    GemmOwner owner = GemmOwner::none;
    void (*finish)(const void* context, Range rows, Range columns) = nullptr;
    const void* context = nullptr;
};

template <class Finish>
GemmExtras finished_by(GemmOwner owner, const Finish& finish) {
    return {owner,
            [](const void* context, Range rows, Range columns) {
                (*static_cast<const Finish*>(context))(rows, columns);
            },
            &finish};
}

// c is row-major with the given row stride. k = 0 writes zeros (or the bias). bias may be null.
void gemm(int64_t m, int64_t n, int64_t k, Matrix<float> a, Matrix<float> b, float* c, int64_t c_row_stride,
          const float* bias = nullptr, const GemmExtras& extras = {});
void gemm(int64_t m, int64_t n, int64_t k, Matrix<double> a, Matrix<double> b, double* c,
          int64_t c_row_stride, const double* bias = nullptr, const GemmExtras& extras = {});
void gemm(int64_t m, int64_t n, int64_t k, Matrix<int64_t> a, Matrix<int64_t> b, int64_t* c,
          int64_t c_row_stride, const int64_t* bias = nullptr);

// Where a product of matrices of two-byte floats goes: as float32, or rounded once to their own type. Exactly
// one pointer is not null. `rounds_sums`: as float32 with the values of their own type.
template <class Half>
struct HalfProduct {
    float* sums;
    Half* rounded;
    int64_t row;
    bool rounds_sums = false;
};

// Sums in float32. bfloat16 has kernels of its own where the processor multiplies it (k is then cut into
// other blocks than for float32, and pairs of products are added first); otherwise operands become float32 as
// they are packed. bias may be null.
void gemm(int64_t m, int64_t n, int64_t k, Matrix<BFloat16> a, Matrix<BFloat16> b,
          const HalfProduct<BFloat16>& c, const float* bias = nullptr, const GemmExtras& extras = {});
void gemm(int64_t m, int64_t n, int64_t k, Matrix<Float16> a, Matrix<Float16> b,
          const HalfProduct<Float16>& c, const float* bias = nullptr, const GemmExtras& extras = {});

// True where one product is too small to be worth more than one thread.
bool gemm_runs_inline(int64_t m, int64_t n, int64_t k);

}  // namespace nativegrad::cpu
