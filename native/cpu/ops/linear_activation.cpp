// A product whose elements go through a function while they are hot.
#include <optional>

#include "cpu/cpu_backend.h"
#include "cpu/ops/linear_parts.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

namespace {

// A dense bias in the compute type.
template <class S>
class BiasRow {
  public:
    explicit BiasRow(const TensorView* bias) {
        if (bias == nullptr) return;
        if constexpr (is_half<S>) {
            wide_.emplace(bias->shape[0]);
            to_floats(elements_of<S>(*bias), wide_->data(), bias->shape[0]);
            data_ = wide_->data();
        } else {
            data_ = elements_of<S>(*bias);
        }
    }
    const ComputeOf<S>* data() const { return data_; }

  private:
    std::optional<WorkBuffer<float>> wide_;
    const ComputeOf<S>* data_ = nullptr;
};

}  // namespace

// x [M, K], w [N, K](, b [N]) -> y [M, N] = f(x w^T + b)(, x w^T + b)
void linear_activation(const OpCall& call, const UnaryParams& params) {
    expect_operands(call, call.input_count == 2 ? 2 : 3, call.output_count == 1 ? 1 : 2);
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
    const TensorView& sums = call.outputs[call.output_count - 1];
    const int64_t m = x.shape[0], k = x.shape[1], n = w.shape[0];
    const bool has_bias = call.input_count == 3;
    if (x.rank != 2 || !is_matrix(w, n, k) || !is_matrix(y, m, n) || !is_row_major(y) ||
        !is_matrix(sums, m, n) || !is_row_major(sums) ||
        (has_bias && (call.inputs[2].rank != 1 || call.inputs[2].shape[0] != n ||
                      (n > 1 && call.inputs[2].strides[0] != 1))))
        fail("needs x [M, K], w [N, K], b [N] and row-major results [M, N]");
    if (params.function < 0 || params.function >= static_cast<int32_t>(UnaryFunction::count))
        fail("no function %d", params.function);
    with_one_float(call, [&](auto type) {
        using S = decltype(type);
        const auto kernel = elementwise_of(ComputeOf<S>{}).unary[params.function];
        const double p0 = params.p0.values[0], p1 = params.p1.values[0];
        const Matrix<S> columns{elements_of<S>(w), w.strides[1], w.strides[0]};
        const BiasRow<S> bias(has_bias ? &call.inputs[2] : nullptr);
        const auto apply = [&](Range rows, Range part) {
            each_row_part(rows, part, n, [&](int64_t at, int64_t count) {
                apply_unary(kernel, elements_of<S>(sums) + at, elements_of<S>(y) + at, count, p0, p1);
            });
        };
        multiply_into<S>(m, n, k, matrix_of<S>(x), columns, elements_of<S>(sums), bias.data(),
                         finished_by(GemmOwner::columns, apply));
    });
}

// dy [M, N], w [N, K], kept [M, K] -> dx [M, K] = f(dy w, kept), where f is the backward pass of an
// activation of x, or another function of two operands
void linear_backward_input(const OpCall& call, const BinaryParams& params) {
    expect_operands(call, 3, 1);
    const TensorView &dy = call.inputs[0], &w = call.inputs[1], &kept = call.inputs[2], &dx = call.outputs[0];
    const int64_t m = dy.shape[0], n = dy.shape[1], k = w.shape[1];
    if (dy.rank != 2 || !is_matrix(w, n, k) || !is_matrix(kept, m, k) || !is_row_major(kept) ||
        !is_matrix(dx, m, k) || !is_row_major(dx))
        fail("needs dy [M, N], w [N, K], row-major kept [M, K] and dx [M, K]");
    if (params.function < 0 || params.function >= static_cast<int32_t>(BinaryFunction::count))
        fail("no function %d", params.function);
    with_one_float(call, [&](auto type) {
        using S = decltype(type);
        const auto kernel = elementwise_of(ComputeOf<S>{}).binary[params.function];
        const double p0 = params.p0.values[0], p1 = params.p1.values[0];
        const auto apply = [&](Range rows, Range columns) {
            each_row_part(rows, columns, k, [&](int64_t at, int64_t count) {
                apply_binary(kernel, elements_of<S>(dx) + at, elements_of<S>(kept) + at, count, p0, p1);
            });
        };
        multiply_into<S>(m, k, n, matrix_of<S>(dy), matrix_of<S>(w), elements_of<S>(dx), nullptr,
                         finished_by(GemmOwner::columns, apply));
    });
}

}  // namespace nativegrad::cpu
