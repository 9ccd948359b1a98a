#include <vector>

#include "cpu/cpu_backend.h"
#include "cpu/ops/row_norm.h"
#include "cpu/ops/row_plan.h"

namespace nativegrad::cpu {

namespace {

void check_statistics(const TensorView& mean, const TensorView& inverse, const RowPlan& plan) {
    if (element_count(mean) != plan.count || element_count(inverse) != plan.count)
        fail("needs one mean and one standard deviation per row");
}

void check_affine(const TensorView* views, int32_t count, const RowPlan& plan) {
    for (int32_t i = 0; i < count; ++i) {
        if (element_count(views[i]) != plan.length)
            fail("needs one weight and one bias for each element of a row");
    }
}

// out[i] = sum of chunk[i] over the chunks, `stride` apart
template <class T>
void join_chunks(const T* partial, int64_t chunks, int64_t stride, int64_t n, T* out) {
    std::vector<double> totals(static_cast<size_t>(n));
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        for (int64_t i = 0; i < n; ++i)
            totals[static_cast<size_t>(i)] += static_cast<double>(partial[chunk * stride + i]);
    }
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(totals[static_cast<size_t>(i)]);
}

}  // namespace

// x [..., L...] (, weight, bias [L...]) -> y = (x - mean) / sqrt(variance + eps) (weight + bias) of x's
// shape, mean, 1 / standard deviation [rows]
void layer_norm(const OpCall& call, const LayerNormParams& params) {
    const bool affine = call.input_count == 3;
    expect_operands(call, affine ? 3 : 1, 3);
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    const RowPlan plan(x, params.axis);
    check_statistics(call.outputs[1], call.outputs[2], plan);
    check_affine(call.inputs + 1, call.input_count - 1, plan);
    if (plan.length == 0) return;
    with_float_compute(y.dtype, [&](auto type) {
        using T = decltype(type);
        const DenseRows<T> from(x), weight(call.inputs[affine ? 1 : 0]), bias(call.inputs[affine ? 2 : 0]);
        const DenseRowsOut<T> to(y), mean(call.outputs[1]), inverse(call.outputs[2]);
        plan.each([&](int64_t, int64_t first, int64_t rows) {
            const int64_t at = first * plan.length;
            normalize_rows(from[at], rows, plan.length, params.epsilon.values[0],
                           affine ? weight[0] : nullptr, affine ? bias[0] : nullptr, to[at], mean[first],
                           inverse[first]);
        });
        to.finish();
        mean.finish();
        inverse.finish();
    });
}

// dy, x [..., L...], mean, 1 / standard deviation [rows] (, weight [L...]) -> dx (, dweight, dbias [L...])
// dx = (g - mean(g) - v mean(g v)) / standard deviation with g = dy weight, v = (x - mean) / standard
// deviation
void layer_norm_backward(const OpCall& call, const AxisParams& params) {
    const bool affine = call.input_count == 5;
    expect_operands(call, affine ? 5 : 4, affine ? 3 : 1);
    const TensorView &dy = call.inputs[0], &x = call.inputs[1], &dx = call.outputs[0];
    const RowPlan plan(x, params.axis);
    check_statistics(call.inputs[2], call.inputs[3], plan);
    check_affine(call.inputs + 4, call.input_count - 4, plan);
    check_affine(call.outputs + 1, call.output_count - 1, plan);
    if (plan.length == 0) return;
    with_float_compute(dx.dtype, [&](auto type) {
        using T = decltype(type);
        const int64_t n = plan.length;
        const DenseRows<T> gradient(dy), from(x), mean(call.inputs[2]), inverse(call.inputs[3]),
            weight(call.inputs[affine ? 4 : 3]);
        const DenseRowsOut<T> to(dx);
        const WorkBuffer<T> partial(affine ? 2 * n * plan.chunks() : 0);
        plan.each([&](int64_t chunk, int64_t first, int64_t rows) {
            const int64_t at = first * n;
            T* sums = affine ? partial.data() + 2 * n * chunk : nullptr;
            normalize_rows_backward(gradient[at], from[at], mean[first], inverse[first],
                                    affine ? weight[0] : nullptr, rows, n, to[at], sums,
                                    affine ? sums + n : nullptr);
        });
        to.finish();
        for (int32_t i = 0; affine && i < 2; ++i) {
            const DenseRowsOut<T> out(call.outputs[1 + i]);
            join_chunks(partial.data() + i * n, plan.chunks(), 2 * n, n, out[0]);
            out.finish();
        }
    });
}

}  // namespace nativegrad::cpu
