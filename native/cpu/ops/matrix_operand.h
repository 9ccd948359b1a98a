// Matrices of any dtype as the product wants them: in the compute type, at any strides.
#pragma once

#include <type_traits>
#include <vector>

#include "cpu/gemm/gemm.h"
#include "cpu/ops/block_io.h"
#include "cpu/ops/operands.h"

namespace nativegrad::cpu {

// A matrix operand in the compute type, converted into a dense buffer where its storage is another type.
template <class T>
class MatrixOperand {
  public:
    MatrixOperand(const TensorView& view, int64_t offset) : view_(view), offset_(offset) {}

    Matrix<T> get() {
        const int32_t r = view_.rank;
        const int64_t row_stride = view_.strides[r - 2], column_stride = view_.strides[r - 1];
        if (view_.dtype == own_dtype<T>()) {
            return {static_cast<const T*>(static_cast<void*>(element(view_, offset_))), row_stride,
                    column_stride};
        }
        const int64_t rows = view_.shape[r - 2], columns = view_.shape[r - 1];
        buffer_.resize(static_cast<size_t>(rows * columns));
        for (int64_t i = 0; i < rows; ++i) {
            load_block(view_.dtype, element(view_, offset_ + i * row_stride), column_stride, columns,
                       buffer_.data() + i * columns);
        }
        return {buffer_.data(), columns, 1};
    }

  private:
    const TensorView& view_;
    int64_t offset_;
    std::vector<T> buffer_;
};

// Writes a b (+ bias) to the matrix of `out` at the element offset.
template <class T>
void multiply(int64_t m, int64_t n, int64_t k, const Matrix<T>& a, const Matrix<T>& b, const TensorView& out,
              int64_t offset, const T* bias = nullptr, GemmOwner owner = GemmOwner::none) {
    const int64_t row_stride = out.strides[out.rank - 2];
    if (out.dtype == own_dtype<T>()) {
        T* const to = static_cast<T*>(static_cast<void*>(element(out, offset)));
        if constexpr (std::is_floating_point_v<T>)
            gemm(m, n, k, a, b, to, row_stride, bias, GemmExtras{owner});
        else
            gemm(m, n, k, a, b, to, row_stride, bias);
        return;
    }
    std::vector<T> product(static_cast<size_t>(m * n));
    gemm(m, n, k, a, b, product.data(), n, bias);
    for (int64_t i = 0; i < m; ++i)
        store_block(out.dtype, element(out, offset + i * row_stride), 1, n, product.data() + i * n);
}

template <class Half>
Matrix<Half> stored_matrix(const TensorView& view, int64_t offset) {
    return {static_cast<const Half*>(static_cast<void*>(element(view, offset))), view.strides[view.rank - 2],
            view.strides[view.rank - 1]};
}

// The product of two matrices of one two-byte float type as float32 or that type; false, and nothing done,
// for others.
template <class Half>
bool multiply_stored(DType half, int64_t m, int64_t n, int64_t k, const TensorView& a, int64_t at_a,
                     const TensorView& b, int64_t at_b, const TensorView& out, int64_t offset,
                     const float* bias = nullptr) {
    if (a.dtype != half || b.dtype != half || (out.dtype != half && out.dtype != DType::float32))
        return false;
    void* to = element(out, offset);
    const int64_t row = out.strides[out.rank - 2];
    const bool rounds = out.dtype == half;
    gemm(m, n, k, stored_matrix<Half>(a, at_a), stored_matrix<Half>(b, at_b),
         HalfProduct<Half>{rounds ? nullptr : static_cast<float*>(to),
                           rounds ? static_cast<Half*>(to) : nullptr, row},
         bias);
    return true;
}

// a [.., m, k] at at_a, b [.., k, n] at at_b (, bias [n]) -> out [.., m, n] at the element offset, in T
template <class T>
void multiply_views(int64_t m, int64_t n, int64_t k, const TensorView& a, int64_t at_a, const TensorView& b,
                    int64_t at_b, const TensorView& out, int64_t offset, const T* bias = nullptr,
                    GemmOwner owner = GemmOwner::none) {
    if constexpr (std::is_same_v<T, float>) {
        if (multiply_stored<BFloat16>(DType::bfloat16, m, n, k, a, at_a, b, at_b, out, offset, bias)) return;
        if (multiply_stored<Float16>(DType::float16, m, n, k, a, at_a, b, at_b, out, offset, bias)) return;
    }
    MatrixOperand<T> left(a, at_a), right(b, at_b);
    multiply(m, n, k, left.get(), right.get(), out, offset, bias, owner);
}

}  // namespace nativegrad::cpu
