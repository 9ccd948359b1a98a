#include <algorithm>
#include <utility>

#include "cpu/cpu_backend.h"
#include "cpu/gemm/gemm.h"
#include "cpu/ops/matrix_operand.h"
#include "cpu/ops/operands.h"
#include "cpu/thread_pool.h"

namespace nativegrad::cpu {

namespace {

// 0 where one product fills the threads by itself.
int64_t batches_per_task(int64_t m, int64_t n, int64_t k) {
    if (!gemm_runs_inline(m, n, k)) return 0;
    return std::max<int64_t>(1, 400000 / std::max<int64_t>(1, m * n * k));
}

// The last two dimensions swapped, where asked for.
TensorView matrix_view(const TensorView& x, int32_t transpose) {
    if (x.rank < 2) fail("works on matrices, got rank %d", x.rank);
    TensorView view = x;
    if (transpose != 0) {
        std::swap(view.shape[x.rank - 1], view.shape[x.rank - 2]);
        std::swap(view.strides[x.rank - 1], view.strides[x.rank - 2]);
    }
    return view;
}

}  // namespace

// a [..., M, K], b [..., K, N] -> out [..., M, N]; the leading dimensions broadcast
void matmul(const OpCall& call, const MatmulParams& params) {
    expect_operands(call, 2, 1);
    const TensorView left_view = matrix_view(call.inputs[0], params.transpose_a);
    const TensorView right_view = matrix_view(call.inputs[1], params.transpose_b);
    const TensorView& out = call.outputs[0];
    const int32_t r = out.rank;
    if (r < 2) fail("works on matrices, got an output of rank %d", r);
    const int64_t m = out.shape[r - 2], n = out.shape[r - 1], k = left_view.shape[left_view.rank - 1];
    if (right_view.shape[right_view.rank - 2] != k || out.strides[r - 1] != 1)
        fail("inner dimensions differ");

    // Broadcast the leading dimensions by giving the matrices the output's batch shape.
    TensorView shape_a = out, shape_b = out;
    shape_a.shape[r - 1] = k;
    shape_b.shape[r - 2] = k;
    const TensorView a = broadcast_to(left_view, shape_a), b = broadcast_to(right_view, shape_b);
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
            multiply_views<T>(m, n, k, a, at_a, b, at_b, out, at_out);
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
