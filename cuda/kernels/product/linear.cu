#include "backend/ops.h"
#include "kernels/product/linear_checks.h"
#include "kernels/product/product.h"

namespace nativegrad::cuda {

namespace {

void add_bias(Finish& finish, const TensorView* bias) {
    if (bias == nullptr) return;
    finish.has_bias = true;
    finish.bias = source_of(*bias);
    finish.bias_stride = bias->strides[0];
}

// x [M, K], w [N, K] -> finish
void multiply_by_rows(const TensorView& x, const TensorView& w, const Finish& finish, Queue& queue) {
    const int64_t m = x.shape[0], k = x.shape[1], n = w.shape[0];
    multiply({m, n, k, operand_of(x, m, x.strides[0], k, x.strides[1]),
              operand_of(w, n, w.strides[0], k, w.strides[1]), single_product(), finish},
             queue);
}

// out = f(out, other) with the op of elementwise functions, for those that no product has at its end
void apply_binary(const OpCall& call, const BinaryParams& params, const TensorView& other, Queue& queue) {
    const TensorView& out = call.outputs[0];
    if (element_count(out) == 0) return;
    const TensorView inputs[2] = {out, other};
    ops::binary(OpCall{1, 2, 1, inputs, &out, nullptr, call.where}, params, queue);
}

// The function at the end of the product; false where another kernel has to apply it.
bool joins(int32_t function, Finish& finish, const TensorView& other) {
    finish.other = other.data;
    if (function == static_cast<int32_t>(BinaryFunction::add)) {
        finish.kind = FinishKind::add;
    } else if (function == static_cast<int32_t>(BinaryFunction::relu_backward)) {
        finish.kind = FinishKind::relu_backward;
    } else {
        return false;
    }
    return true;
}

constexpr auto binary_count = static_cast<int32_t>(BinaryFunction::count);

}  // namespace

namespace ops {

// x [M, K], w [N, K](, b [N]) -> out [M, N] = x w^T + b
void linear(const OpCall& call, const NoParams&, Queue& queue) {
    expect_operands(call, call.input_count == 2 ? 2 : 3, 1);
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &out = call.outputs[0];
    const TensorView* bias = call.input_count == 3 ? &call.inputs[2] : nullptr;
    const bool fits = x.rank == 2 && w.rank == 2 && is_matrix(out, x.shape[0], w.shape[0]) &&
                      x.shape[1] == w.shape[1] && out.strides[1] == 1 &&
                      (bias == nullptr || (bias->rank == 1 && bias->shape[0] == w.shape[0]));
    if (!fits) fail("needs x [M, K], w [N, K] and b [N]");
    Finish finish(out.data, out.dtype, out.strides[0]);
    add_bias(finish, bias);
    multiply_by_rows(x, w, finish, queue);
}

// x [M, K], w [N, K](, b [N]) -> y [M, N] = f(x w^T + b)(, x w^T + b)
void linear_activation(const OpCall& call, const UnaryParams& params, Queue& queue) {
    expect_operands(call, call.input_count == 2 ? 2 : 3, call.output_count == 1 ? 1 : 2);
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
    const TensorView& sums = call.outputs[call.output_count - 1];
    const int64_t m = x.shape[0], k = x.shape[1], n = w.shape[0];
    const TensorView* bias = call.input_count == 3 ? &call.inputs[2] : nullptr;
    if (x.rank != 2 || !is_matrix(w, n, k) || !is_matrix(y, m, n) || !is_row_major(y) ||
        !is_matrix(sums, m, n) || !is_row_major(sums) || (bias != nullptr && !is_dense_row(*bias, n)))
        fail("needs x [M, K], w [N, K], b [N] and row-major results [M, N]");
    check_function(params.function, static_cast<int32_t>(UnaryFunction::count));
    check_one_float(call);
    const bool is_relu = params.function == static_cast<int32_t>(UnaryFunction::relu);
    Finish finish(is_relu ? y.data : sums.data, y.dtype, n);
    if (is_relu) finish.kind = FinishKind::relu;
    if (is_relu && call.output_count == 2) finish.sums = sums.data;
    add_bias(finish, bias);
    multiply_by_rows(x, w, finish, queue);
    if (is_relu || m == 0 || n == 0) return;
    unary(OpCall{1, 1, 1, &sums, &y, nullptr, call.where}, params, queue);
}

// x [M, K], w [N, K], r [M, N](, b [N]) -> y [M, N] = f(x w^T + b, r), where f is a sum or another function
// of two operands
void linear_residual(const OpCall& call, const BinaryParams& params, Queue& queue) {
    expect_operands(call, call.input_count == 3 ? 3 : 4, 1);
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &r = call.inputs[2], &y = call.outputs[0];
    const int64_t m = x.shape[0], k = x.shape[1], n = w.shape[0];
    const TensorView* bias = call.input_count == 4 ? &call.inputs[3] : nullptr;
    if (x.rank != 2 || !is_matrix(w, n, k) || !is_matrix(r, m, n) || !is_row_major(r) ||
        !is_matrix(y, m, n) || !is_row_major(y) || (bias != nullptr && !is_dense_row(*bias, n)))
        fail("needs x [M, K], w [N, K], row-major r [M, N], b [N] and y [M, N]");
    check_function(params.function, binary_count);
    check_one_float(call);
    Finish finish(y.data, y.dtype, n);
    add_bias(finish, bias);
    const bool joined = joins(params.function, finish, r);
    multiply_by_rows(x, w, finish, queue);
    if (!joined) apply_binary(call, params, r, queue);
}

// dy [M, N], w [N, K], kept [M, K] -> dx [M, K] = f(dy w, kept), where f is the backward pass of an
// activation of x, or another function of two operands
void linear_backward_input(const OpCall& call, const BinaryParams& params, Queue& queue) {
    expect_operands(call, 3, 1);
    const TensorView &dy = call.inputs[0], &w = call.inputs[1], &kept = call.inputs[2], &dx = call.outputs[0];
    const int64_t m = dy.shape[0], n = dy.shape[1], k = w.shape[1];
    if (dy.rank != 2 || !is_matrix(w, n, k) || !is_matrix(kept, m, k) || !is_row_major(kept) ||
        !is_matrix(dx, m, k) || !is_row_major(dx))
        fail("needs dy [M, N], w [N, K], row-major kept [M, K] and dx [M, K]");
    check_function(params.function, binary_count);
    check_one_float(call);
    Finish finish(dx.data, dx.dtype, k);
    const bool joined = joins(params.function, finish, kept);
    multiply({m, k, n, operand_of(dy, m, dy.strides[0], n, dy.strides[1]),
              operand_of(w, k, w.strides[1], n, w.strides[0]), single_product(), finish},
             queue);
    if (!joined) apply_binary(call, params, kept, queue);
}

}  // namespace ops

}  // namespace nativegrad::cuda
