// What the fused ops of a linear layer share.
#pragma once

#include "cpu/gemm/gemm.h"
#include "cpu/gemm/gemm_grid.h"
#include "cpu/gemm/half_rows.h"
#include "cpu/kernel_table.h"
#include "cpu/ops/fold_functions.h"
#include "cpu/ops/operands.h"

namespace nativegrad::cpu {

inline const ElementwiseKernels<float>& elementwise_of(float) { return kernels().elementwise_f32; }
inline const ElementwiseKernels<double>& elementwise_of(double) { return kernels().elementwise_f64; }

inline bool is_matrix(const TensorView& x, int64_t rows, int64_t columns) {
    return x.rank == 2 && x.shape[0] == rows && x.shape[1] == columns;
}

// The type in which elements that are stored as S are computed.
template <class S>
using ComputeOf = std::conditional_t<std::is_same_v<S, double>, double, float>;

template <class S>
constexpr bool is_half = !std::is_same_v<S, ComputeOf<S>>;

// Calls body(S{}) with the type of elements of this float dtype.
template <class Body>
void with_stored_float(DType dtype, const Body& body) {
    if (dtype == DType::float32) return body(float{});
    if (dtype == DType::float64) return body(double{});
    if (dtype == DType::bfloat16) return body(BFloat16{});
    if (dtype == DType::float16) return body(Float16{});
    fail("needs a float dtype, got %s", dtype_name(dtype));
}

// The same where all operands must have one dtype.
template <class Body>
void with_one_float(const OpCall& call, const Body& body) {
    const DType dtype = call.outputs[0].dtype;
    const auto differs = [&](const TensorView& x) { return x.dtype != dtype; };
    if (std::any_of(call.inputs, call.inputs + call.input_count, differs) ||
        std::any_of(call.outputs, call.outputs + call.output_count, differs))
        fail("needs operands of one dtype");
    with_stored_float(dtype, body);
}

template <class T>
Matrix<T> matrix_of(const TensorView& x) {
    return {static_cast<const T*>(x.data), x.strides[0], x.strides[1]};
}

template <class T>
T* elements_of(const TensorView& x) {
    return static_cast<T*>(x.data);
}

// c [m, n] row-major in the type of its factors. bias may be null.
template <class S>
void multiply_into(int64_t m, int64_t n, int64_t k, const Matrix<S>& a, const Matrix<S>& b, S* c,
                   const ComputeOf<S>* bias, const GemmExtras& extras) {
    if constexpr (is_half<S>)
        gemm(m, n, k, a, b, HalfProduct<S>{nullptr, c, n}, bias, extras);
    else
        gemm(m, n, k, a, b, c, n, bias, extras);
}

// y = f(x) for `kernel` of the compute type; x and y may be the same.
template <class S, class Kernel>
void apply_unary(const Kernel& kernel, const S* x, S* y, int64_t n, double p0, double p1) {
    if constexpr (is_half<S>) {
        float strip[block_size];
        for (int64_t i = 0; i < n; i += block_size) {
            const int64_t count = std::min(block_size, n - i);
            to_floats(x + i, strip, count);
            kernel(strip, strip, count, p0, p1);
            round_row(strip, y + i, count);
        }
    } else {
        kernel(x, y, n, p0, p1);
    }
}

// y = f(y, other)
template <class S, class Kernel>
void apply_binary(const Kernel& kernel, S* y, const S* other, int64_t n, double p0, double p1) {
    if constexpr (is_half<S>) {
        float strip[block_size], others[block_size];
        for (int64_t i = 0; i < n; i += block_size) {
            const int64_t count = std::min(block_size, n - i);
            to_floats(y + i, strip, count);
            to_floats(other + i, others, count);
            kernel(strip, others, strip, count, p0, p1);
            round_row(strip, y + i, count);
        }
    } else {
        kernel(y, other, y, n, p0, p1);
    }
}

// body(first element, count) for rows [.., columns] of a matrix with that row stride, whole rows at once
template <class Body>
void each_row_part(Range rows, Range columns, int64_t row_stride, const Body& body) {
    if (columns.size() == row_stride) return body(rows.begin * row_stride, rows.size() * row_stride);
    for (int64_t i = rows.begin; i < rows.end; ++i) body(i * row_stride + columns.begin, columns.size());
}

// dy [M, N] -> sums over M, with the bits of `reduce` into dy's dtype: its blocks of columns one by one where
// each is summed in one piece, so that several threads may take some.
template <class S>
class ColumnSums {
  public:
    using T = ComputeOf<S>;

    explicit ColumnSums(const TensorView& dy) : dy_(dy) {
        const int64_t columns = dy.shape[1], blocks = divide_up(columns, fold_columns);
        const int64_t elements = dy.shape[0] * std::min(columns, fold_columns);
        // A last block of one column would be summed as a vector.
        is_divisible_ = dy.strides[1] == 1 && dy.shape[0] > 1 && columns > 1 && columns % fold_columns != 1 &&
                        fold_pieces(blocks, elements) == 1;
    }

    bool is_divisible() const { return is_divisible_; }

    // to(first column, sums, count) for the blocks that begin in the range
    template <class To>
    void run(Range columns, const To& to) const {
        const int64_t first = divide_up(columns.begin, fold_columns) * fold_columns;
        for (int64_t j = first; j < columns.end; j += fold_columns) {
            TensorView part = dy_;
            part.data = elements_of<S>(dy_) + j;
            part.shape[1] = std::min(fold_columns, dy_.shape[1] - j);
            T sums[fold_columns];
            fold_view(part, sums);
            to(j, sums, part.shape[1]);
        }
    }

    // sums [N]
    void run_all(T* sums) const { fold_view(dy_, sums); }

  private:
    static void fold_view(const TensorView& x, T* sums) {
        const ReductionPlan plan(x, IntList{1, {0}}, false);
        fold<T>(x, plan, SumFold<T>{}, [&](int64_t i, auto sum) { sums[i] = static_cast<T>(sum); });
        if constexpr (is_half<S>) round_in_place<S>(sums, plan.outputs);
    }

    const TensorView& dy_;
    bool is_divisible_;
};

}  // namespace nativegrad::cpu
