#include "cpu/cpu_backend.h"
#include "cpu/ops/axis_rows.h"

namespace nativegrad::cpu {

namespace {

// Sums of floats run in double, those of integers wrap around.
template <class T, class Total>
void run_cumsum(const OpCall& call, const ScanParams& params) {
    const TensorView &x = call.inputs[0], &out = call.outputs[0];
    const AxisRows rows(out, params.axis);
    const int64_t n = rows.length, step = params.reverse ? -1 : 1;
    rows.each<T>(n, [&](int64_t row, T* values) {
        rows.read(x, row, values);
        Total total = 0;
        for (int64_t i = 0, at = params.reverse ? n - 1 : 0; i < n; ++i, at += step) {
            total += static_cast<Total>(values[at]);
            values[at] = static_cast<T>(total);
        }
        rows.write(out, row, values);
    });
}

// The product of the elements before each one, times that of the elements behind it: exact where some are 0.
void run_prod_others(const TensorView& x, const TensorView& out) {
    const AxisRows rows(out, out.rank - 1);
    const int64_t n = rows.length;
    rows.each<double>(2 * n, [&](int64_t row, double* values) {
        double* products = values + n;
        rows.read(x, row, values);
        double before = 1, behind = 1;
        for (int64_t i = 0; i < n; ++i) {
            products[i] = before;
            before *= values[i];
        }
        for (int64_t i = n - 1; i >= 0; --i) {
            products[i] *= behind;
            behind *= values[i];
        }
        rows.write(out, row, products);
    });
}

}  // namespace

// x [.., D, ..] -> out [.., D, ..]: sums of the elements up to (reverse: from) each one along the axis
void cumsum(const OpCall& call, const ScanParams& params) {
    expect_operands(call, 1, 1);
    expect_same_shape(call.inputs[0], call.outputs[0]);
    switch (compute_class(call.outputs[0].dtype)) {
        case ComputeClass::f32:
            return run_cumsum<float, double>(call, params);
        case ComputeClass::f64:
            return run_cumsum<double, double>(call, params);
        case ComputeClass::i64:
            return run_cumsum<int64_t, uint64_t>(call, params);
    }
}

// x [.., D] -> out [.., D]: for each element the product of the others in its row
void prod_others(const OpCall& call, const NoParams&) {
    expect_operands(call, 1, 1);
    expect_same_shape(call.inputs[0], call.outputs[0]);
    if (!is_float(call.outputs[0].dtype)) fail("needs a float dtype");
    run_prod_others(call.inputs[0], call.outputs[0]);
}

}  // namespace nativegrad::cpu
