// A product whose elements go through a function while they are hot.
#include <optional>

#include "cpu/cpu_backend.h"
#include "cpu/ops/linear_parts.h"
#include "cpu/work_buffer.h"

namespace nativegrad::cpu {

namespace {

bool is_dense_row(const TensorView& x, int64_t n) {
    return x.rank == 1 && x.shape[0] == n && (n <= 1 || x.strides[0] == 1);
}

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
        !is_matrix(sums, m, n) || !is_row_major(sums) || (has_bias && !is_dense_row(call.inputs[2], n)))
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

namespace {

// out [M, N] = f(a b (+ bias), other), all of S
template <class S>
void multiply_and_apply(const BinaryParams& params, int64_t m, int64_t n, int64_t k, const Matrix<S>& a,
                        const Matrix<S>& b, const ComputeOf<S>* bias, const TensorView& other,
                        const TensorView& out) {
    const auto kernel = elementwise_of(ComputeOf<S>{}).binary[params.function];
    const double p0 = params.p0.values[0], p1 = params.p1.values[0];
    const auto apply = [&](Range rows, Range columns) {
        each_row_part(rows, columns, n, [&](int64_t at, int64_t count) {
            apply_binary(kernel, elements_of<S>(out) + at, elements_of<S>(other) + at, count, p0, p1);
        });
    };
    multiply_into<S>(m, n, k, a, b, elements_of<S>(out), bias, finished_by(GemmOwner::columns, apply));
}

void check_function(const BinaryParams& params) {
    if (params.function < 0 || params.function >= static_cast<int32_t>(BinaryFunction::count))
        fail("no function %d", params.function);
}

}  // namespace

// x [M, K], w [N, K], r [M, N](, b [N]) -> y [M, N] = f(x w^T + b, r), where f is a sum or another function
// of two operands
void linear_residual(const OpCall& call, const BinaryParams& params) {
    expect_operands(call, call.input_count == 3 ? 3 : 4, 1);
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &r = call.inputs[2], &y = call.outputs[0];
    const int64_t m = x.shape[0], k = x.shape[1], n = w.shape[0];
    const TensorView* bias = call.input_count == 4 ? &call.inputs[3] : nullptr;
    if (x.rank != 2 || !is_matrix(w, n, k) || !is_matrix(r, m, n) || !is_row_major(r) ||
        !is_matrix(y, m, n) || !is_row_major(y) || (bias != nullptr && !is_dense_row(*bias, n)))
        fail("needs x [M, K], w [N, K], row-major r [M, N], b [N] and y [M, N]");
    check_function(params);
    with_one_float(call, [&](auto type) {
        using S = decltype(type);
        const Matrix<S> columns{elements_of<S>(w), w.strides[1], w.strides[0]};
        const BiasRow<S> row(bias);
        multiply_and_apply<S>(params, m, n, k, matrix_of<S>(x), columns, row.data(), r, y);
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
    check_function(params);
    with_one_float(call, [&](auto type) {
        using S = decltype(type);
        multiply_and_apply<S>(params, m, k, n, matrix_of<S>(dy), matrix_of<S>(w), nullptr, kept, dx);
    });
}

}  // namespace nativegrad::cpu
