#include <algorithm>
#include <vector>

#include "cpu/cpu_backend.h"
#include "cpu/gemm/gemm.h"
#include "cpu/ops/block_io.h"
#include "cpu/ops/operands.h"
#include "cpu/thread_pool.h"

namespace nativegrad::cpu {

namespace {

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

template <class T>
void multiply(int64_t m, int64_t n, int64_t k, const Matrix<T>& a, const Matrix<T>& b, const TensorView& out,
              int64_t offset) {
    const int64_t row_stride = out.strides[out.rank - 2];
    if (out.dtype == own_dtype<T>()) {
        gemm(m, n, k, a, b, static_cast<T*>(static_cast<void*>(element(out, offset))), row_stride);
        return;
    }
    std::vector<T> product(static_cast<size_t>(m * n));
    gemm(m, n, k, a, b, product.data(), n);
    for (int64_t i = 0; i < m; ++i)
        store_block(out.dtype, element(out, offset + i * row_stride), 1, n, product.data() + i * n);
}

// 0 where one product fills the threads by itself.
int64_t batches_per_task(int64_t m, int64_t n, int64_t k) {
    if (!gemm_runs_inline(m, n, k)) return 0;
    return std::max<int64_t>(1, 400000 / std::max<int64_t>(1, m * n * k));
}

}  // namespace

// a [..., M, K], b [..., K, N] -> out [..., M, N]; the leading dimensions broadcast
void matmul(const OpCall& call, const NoParams&) {
    expect_operands(call, 2, 1);
    const TensorView& out = call.outputs[0];
    const int32_t r = out.rank;
    if (r < 2 || call.inputs[0].rank < 2 || call.inputs[1].rank < 2)
        fail("works on matrices, got rank %d", r);
    const int64_t m = out.shape[r - 2], n = out.shape[r - 1];
    const int64_t k = call.inputs[0].shape[call.inputs[0].rank - 1];
    if (call.inputs[1].shape[call.inputs[1].rank - 2] != k || out.strides[r - 1] != 1)
        fail("inner dimensions differ");

    // Broadcast the leading dimensions by giving the matrices the output's batch shape.
    TensorView shape_a = out, shape_b = out;
    shape_a.shape[r - 1] = k;
    shape_b.shape[r - 2] = k;
    const TensorView a = broadcast_to(call.inputs[0], shape_a), b = broadcast_to(call.inputs[1], shape_b);
    int64_t batches = 1;
    for (int32_t axis = 0; axis < r - 2; ++axis) batches *= out.shape[axis];
    if (m == 0 || n == 0) return;

    with_compute_type(out.dtype, [&](auto type) {
        using T = decltype(type);
        const auto multiply_batch = [&](int64_t batch) {
            int64_t rest = batch, at_a = 0, at_b = 0, at_out = 0;
            for (int32_t axis = r - 3; axis >= 0; --axis) {
                const int64_t index = rest % out.shape[axis];
                rest /= out.shape[axis];
                at_a += index * a.strides[axis];
                at_b += index * b.strides[axis];
                at_out += index * out.strides[axis];
            }
            MatrixOperand<T> left(a, at_a), right(b, at_b);
            multiply(m, n, k, left.get(), right.get(), out, at_out);
        };
        // Small matrices keep the threads busy side by side, large ones one after the other.
        const int64_t per_task = batches_per_task(m, n, k);
        const int64_t tasks = per_task == 0 ? 0 : (batches + per_task - 1) / per_task;
        parallel_for(tasks, [&](int64_t task) {
            const int64_t end = std::min(batches, (task + 1) * per_task);
            for (int64_t batch = task * per_task; batch < end; ++batch) multiply_batch(batch);
        });
        for (int64_t batch = 0; per_task == 0 && batch < batches; ++batch) multiply_batch(batch);
    });
}

}  // namespace nativegrad::cpu
