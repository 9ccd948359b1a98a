// What the fused ops of a linear layer share.
#pragma once

#include "cpu/gemm/gemm.h"
#include "cpu/gemm/gemm_grid.h"
#include "cpu/kernel_table.h"
#include "cpu/ops/fold_functions.h"
#include "cpu/ops/operands.h"

namespace nativegrad::cpu {

inline const ElementwiseKernels<float>& elementwise_of(float) { return kernels().elementwise_f32; }
inline const ElementwiseKernels<double>& elementwise_of(double) { return kernels().elementwise_f64; }

inline bool is_matrix(const TensorView& x, int64_t rows, int64_t columns) {
    return x.rank == 2 && x.shape[0] == rows && x.shape[1] == columns;
}

// Calls body(T{}) with float or double; all operands must have that dtype.
template <class Body>
void with_one_float(const OpCall& call, const Body& body) {
    const DType dtype = call.outputs[0].dtype;
    const auto differs = [&](const TensorView& x) { return x.dtype != dtype; };
    if (std::any_of(call.inputs, call.inputs + call.input_count, differs) ||
        std::any_of(call.outputs, call.outputs + call.output_count, differs))
        fail("needs operands of one dtype");
    if (dtype == DType::float32) return body(float{});
    if (dtype == DType::float64) return body(double{});
    fail("needs float32 or float64, got %s", dtype_name(dtype));
}

template <class T>
Matrix<T> matrix_of(const TensorView& x) {
    return {static_cast<const T*>(x.data), x.strides[0], x.strides[1]};
}

template <class T>
T* elements_of(const TensorView& x) {
    return static_cast<T*>(x.data);
}

// body(first element, count) for rows [.., columns] of a matrix with that row stride, whole rows at once
template <class Body>
void each_row_part(Range rows, Range columns, int64_t row_stride, const Body& body) {
    if (columns.size() == row_stride) return body(rows.begin * row_stride, rows.size() * row_stride);
    for (int64_t i = rows.begin; i < rows.end; ++i) body(i * row_stride + columns.begin, columns.size());
}

// dy [M, N] -> sums over M, with the bits of `reduce`: its blocks of columns one by one where each is summed
// in one piece, so that several threads may take some.
template <class T>
class ColumnSums {
  public:
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
            part.data = elements_of<T>(dy_) + j;
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
    }

    const TensorView& dy_;
    bool is_divisible_;
};

}  // namespace nativegrad::cpu
