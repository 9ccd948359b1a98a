#include <utility>

#include "cpu/cpu_backend.h"
#include "cpu/ops/matrix_operand.h"

namespace nativegrad::cpu {

namespace {

void check_linear(const TensorView& x, const TensorView& w, const TensorView* bias, const TensorView& out) {
    const bool fits = x.rank == 2 && w.rank == 2 && out.rank == 2 && x.shape[1] == w.shape[1] &&
                      out.shape[0] == x.shape[0] && out.shape[1] == w.shape[0] && out.strides[1] == 1 &&
                      (bias == nullptr || (bias->rank == 1 && bias->shape[0] == w.shape[0]));
    if (!fits) fail("needs x [M, K], w [N, K] and b [N]");
}

}  // namespace

// x [M, K], w [N, K](, b [N]) -> out [M, N] = x w^T + b
void linear(const OpCall& call, const NoParams&) {
    expect_operands(call, call.input_count == 2 ? 2 : 3, 1);
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &out = call.outputs[0];
    const TensorView* bias = call.input_count == 3 ? &call.inputs[2] : nullptr;
    check_linear(x, w, bias, out);
    if (element_count(out) == 0) return;
    TensorView columns = w;
    std::swap(columns.shape[0], columns.shape[1]);
    std::swap(columns.strides[0], columns.strides[1]);
    with_compute_type(out.dtype, [&](auto type) {
        using T = decltype(type);
        const int64_t n = out.shape[1];
        std::vector<T> copy;
        const T* row = nullptr;
        if (bias != nullptr && bias->dtype == own_dtype<T>() && (bias->strides[0] == 1 || n == 1)) {
            row = static_cast<const T*>(bias->data);
        } else if (bias != nullptr) {
            copy.resize(static_cast<size_t>(n));
            for (int64_t i = 0; i < n; ++i)
                load_block(bias->dtype, element(*bias, i * bias->strides[0]), 1, 1,
                           &copy[static_cast<size_t>(i)]);
            row = copy.data();
        }
        multiply_views<T>(out.shape[0], n, x.shape[1], x, 0, columns, 0, out, 0, row, GemmOwner::columns);
    });
}

}  // namespace nativegrad::cpu
