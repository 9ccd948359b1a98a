// The gradients of a linear layer's weight and bias, and the optimizer's step with them in one go.
#include "backend/ops.h"
#include "kernels/product/column_sums.h"
#include "kernels/product/linear_checks.h"
#include "kernels/product/product.h"
#include "ops/low_copies.h"
#include "ops/optimizer_params.h"

namespace nativegrad::cuda {

namespace {

void check_gradients(const TensorView& dy, const TensorView& x) {
    if (dy.rank != 2 || x.rank != 2 || dy.shape[0] != x.shape[0]) fail("needs dy [M, N] and x [M, K]");
}

void check_weight(const TensorView& w, int64_t n, int64_t k) {
    if (!is_matrix(w, n, k) || !is_row_major(w)) fail("needs a row-major weight [N, K]");
}

void check_bias(const TensorView& b, int64_t n) {
    if (b.rank != 1 || b.shape[0] != n || !is_row_major(b)) fail("needs a dense bias [N]");
}

// What gradients of factors of this dtype may be: the same, or float32 with the values of two-byte floats.
// group: the tensors of a group, of an update; the last of them may be a copy.
void check_dtypes(const OpCall& call, int32_t group = 0, bool casts = false) {
    const DType dtype = call.inputs[0].dtype;
    const bool is_half = dtype == DType::bfloat16 || dtype == DType::float16;
    bool fits = call.inputs[1].dtype == dtype;
    for (int32_t i = 0; i < call.output_count; ++i) {
        if (casts && i % group == group - 1) {
            check_low_copy(call.outputs[i - group + 1], call.outputs[i]);
            continue;
        }
        const DType made = call.outputs[i].dtype;
        fits = fits && ((is_half && made == DType::float32) || (made == dtype && !(group > 0 && is_half)));
    }
    if (!fits) fail("needs operands of one dtype, or float32 results of two-byte floats");
    if (!is_float(dtype)) fail("needs a float dtype, got %s", dtype_name(dtype));
}

// dy [M, N], x [M, K] -> finish [N, K] = dy^T x, sums [N] of dy's columns where they are wanted
void multiply_gradient(const TensorView& dy, const TensorView& x, const Finish& finish, const Finish* sums,
                       Queue& queue) {
    const int64_t m = dy.shape[0], n = dy.shape[1], k = x.shape[1];
    const bool has_sums =
        multiply({n, k, m, operand_of(dy, n, dy.strides[1], m, dy.strides[0]),
                  operand_of(x, k, x.strides[1], m, x.strides[0]), single_product(), finish, sums},
                 queue);
    if (sums != nullptr && !has_sums) sum_columns(dy, *sums, queue);
}

UpdateNumbers adam_numbers_of(const AdamParams& params) {
    const AdamStep s = adam_step_of(params);
    const double numbers[9] = {s.beta1,     1 - s.beta1,  s.beta2, 1 - s.beta2, s.epsilon,
                               s.step_size, s.root_scale, s.decay, s.shrink};
    UpdateNumbers result{};
    for (int i = 0; i < 9; ++i) result.values[i] = static_cast<float>(numbers[i]);
    return result;
}

UpdateNumbers sgd_numbers_of(const SgdParams& params) {
    const SgdStep s = sgd_step_of(params);
    const double numbers[4] = {s.lr, s.momentum, 1 - s.dampening, s.decay};
    UpdateNumbers result{};
    for (int i = 0; i < 4; ++i) result.values[i] = static_cast<float>(numbers[i]);
    result.first = s.first != 0;
    return result;
}

// dy, x -> groups of `tensors` tensors: the weight, then what the optimizer keeps (and a copy, see
// low_copies.h); the same for the bias where there is one
void update_group(const OpCall& call, int32_t tensors, bool casts, FinishKind kind, const UpdateStep& step,
                  Queue& queue) {
    const int32_t size = tensors + (casts ? 1 : 0);
    const bool has_bias = call.output_count == 2 * size;
    expect_operands(call, 2, has_bias ? 2 * size : size);
    const TensorView &dy = call.inputs[0], &x = call.inputs[1];
    check_gradients(dy, x);
    const int64_t n = dy.shape[1], k = x.shape[1];
    for (int32_t i = 0; i < call.output_count; ++i) {
        if (i < size)
            check_weight(call.outputs[i], n, k);
        else
            check_bias(call.outputs[i], n);
    }
    check_dtypes(call, size, casts);
    if (dy.dtype == DType::float64) fail("needs float32, got float64");
    const auto finish_of = [&](const TensorView* group) {
        Finish finish(group[0].data, DType::float32, k);
        finish.rounds = dy.dtype;
        finish.kind = kind;
        finish.update = step;
        for (int32_t i = 1; i < tensors; ++i) finish.update.state[i - 1] = static_cast<float*>(group[i].data);
        if (casts && has_low_copy(group[tensors])) {
            finish.update.low = group[tensors].data;
            finish.update.low_dtype = group[tensors].dtype;
        }
        return finish;
    };
    const Finish bias = has_bias ? finish_of(call.outputs + size) : Finish();
    multiply_gradient(dy, x, finish_of(call.outputs), has_bias ? &bias : nullptr, queue);
}

}  // namespace

namespace ops {

// dy [M, N], x [M, K] -> dw [N, K] = dy^T x(, db [N] = sums of dy's columns)
void linear_backward_weight(const OpCall& call, const NoParams&, Queue& queue) {
    expect_operands(call, 2, call.output_count == 1 ? 1 : 2);
    const TensorView &dy = call.inputs[0], &x = call.inputs[1], &dw = call.outputs[0];
    check_gradients(dy, x);
    const int64_t n = dy.shape[1], k = x.shape[1];
    check_weight(dw, n, k);
    if (call.output_count == 2) check_bias(call.outputs[1], n);
    check_dtypes(call);
    Finish finish(dw.data, dw.dtype, k);
    finish.rounds = dy.dtype;
    if (call.output_count == 1) return multiply_gradient(dy, x, finish, nullptr, queue);
    Finish bias(call.outputs[1].data, call.outputs[1].dtype, n);
    bias.rounds = dy.dtype;
    multiply_gradient(dy, x, finish, &bias, queue);
}

// dy [M, N], x [M, K] -> w, m, v(, largest v)(, copy) [N, K](; b, m, v(, largest v)(, copy) [N]): the update
// of `adam_step` with dw = dy^T x (and db = sums of dy's columns)
void linear_backward_weight_adam(const OpCall& call, const AdamParams& params, Queue& queue) {
    UpdateStep step{};
    step.numbers = queue.live(params, &adam_numbers_of);
    update_group(call, params.amsgrad != 0 ? 4 : 3, params.casts != 0, FinishKind::adam, step, queue);
}

// dy [M, N], x [M, K] -> w(, velocity)(, copy) [N, K](; b(, velocity)(, copy) [N]): the update of `sgd_step`
void linear_backward_weight_sgd(const OpCall& call, const SgdParams& params, Queue& queue) {
    UpdateStep step{};
    step.numbers = queue.live(params, &sgd_numbers_of);
    step.nesterov = params.nesterov != 0;
    update_group(call, params.has_velocity != 0 ? 2 : 1, params.casts != 0, FinishKind::sgd, step, queue);
}

}  // namespace ops

}  // namespace nativegrad::cuda
